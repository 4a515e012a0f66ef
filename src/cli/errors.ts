/** How the command line ends: one clear sentence on stderr and an exit code. */

import { InterruptedTransfer } from '../weights/hub/error.ts';

export { reasonOf } from '../weights/reason.ts';

/** 0 done; 1 the work failed; 2 the command line or the input is wrong; 130 interrupted. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The command line or an input file is wrong. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** The work was done, but its result could not be stored. */
export class WriteError extends Error {
  override readonly name = 'WriteError';
}

/** Errors of one picture among many: the others can still be done. */
const PICTURE_ERRORS = ['InputError', 'ImageSizeError', 'ParityError'];

/** Errors whose cause lies in what the user gave us, wherever they were thrown. */
const INPUT_ERRORS = new Set([
  ...PICTURE_ERRORS,
  'AdapterNameError',
  'ConfigError',
  'WeightError',
  'CheckpointError',
  'TimestepError',
  'HubSettingError',
  'MemoryError',
  'BenchInputError',
]);

/** By name: those of the library are no InputError. */
export const isPictureError = (error: unknown): boolean =>
  error instanceof Error && PICTURE_ERRORS.includes(error.name);

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Error)) return EXIT.failed;
  if (error.name === 'AbortError') return EXIT.interrupted;
  return INPUT_ERRORS.has(error.name) ? EXIT.usage : EXIT.failed;
}

interface Current {
  /** Whether the current image can be gone on with; see job-folder.ts. */
  resumable: boolean;
  /** Of the innermost `interruptible` action. */
  sentence: (() => string) | undefined;
}
const current: Current = { resumable: false, sentence: undefined };
export const setResumable = (resumable: boolean): void => void (current.resumable = resumable);

/** What an interruption at this moment leaves behind. */
export function interrupted(): string {
  if (current.sentence) return `interrupted; ${current.sentence()}`;
  return current.resumable
    ? 'interrupted; what is done of the current image is kept, the same command goes on with it'
    : 'interrupted; nothing was written for the current image';
}

/** Runs the action; should a signal end it, `sentence` says what that left behind. */
export async function interruptible<T>(
  signal: AbortSignal,
  sentence: () => string,
  action: () => Promise<T>,
): Promise<T> {
  const outer = current.sentence;
  current.sentence = sentence;
  try {
    return await action();
  } catch (error) {
    if (!signal.aborted || error instanceof InterruptedTransfer) throw error;
    throw new InterruptedTransfer(interrupted(), { cause: error });
  } finally {
    current.sentence = outer;
  }
}

/** The sentence for the user; INVSR_DEBUG=1 adds the stack. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (process.env['INVSR_DEBUG']) return error.stack ?? error.message;
  if (error.name !== 'AbortError') return error.message;
  return error instanceof InterruptedTransfer ? error.message : interrupted();
}
