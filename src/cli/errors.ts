/** How the command line ends: one clear sentence on stderr and an exit code. */

/** 0 done; 1 the work failed; 2 the command line or the input is wrong; 130 interrupted. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The command line or an input file is wrong. */
export class InputError extends Error {
  override readonly name = 'InputError';
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
  'MemoryError',
]);

/** By name: those of the library are no InputError. */
export const isPictureError = (error: unknown): boolean =>
  error instanceof Error && PICTURE_ERRORS.includes(error.name);

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Error)) return EXIT.failed;
  if (error.name === 'AbortError') return EXIT.interrupted;
  return INPUT_ERRORS.has(error.name) ? EXIT.usage : EXIT.failed;
}

export const INTERRUPTED = 'interrupted; nothing was written for the current image';

/** The sentence for the user; INVSR_DEBUG=1 adds the stack. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (process.env['INVSR_DEBUG']) return error.stack ?? error.message;
  return error.name === 'AbortError' ? INTERRUPTED : error.message;
}

/** The system's reason in plain words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of its path is a file, not a folder',
    EEXIST: 'a file of that name is in the way',
    ENAMETOOLONG: 'the name is too long',
  };
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}
