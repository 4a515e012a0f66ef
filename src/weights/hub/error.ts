/** How transfers fail: for good, for now, or because the file is another one than before. */
import { codeOf, reasonOf } from '../reason.ts';

/** The hub, the network or the disk refused. The message says what, where, and what to do. */
export class HubError extends Error {
  override readonly name: string = 'HubError';
}

/** An environment variable or a flag holds what cannot be used. */
export class HubSettingError extends Error {
  override readonly name = 'HubSettingError';
}

/** A try that may succeed when repeated (retry.ts). */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  /** What the server asked for by Retry-After. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { retryAfterMs, ...options }: TransientOptions = {}) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

interface TransientOptions extends ErrorOptions {
  readonly retryAfterMs?: number | undefined;
}

/** What was fetched so far is of another file than what the server has now. */
export class ChangedError extends Error {
  override readonly name = 'ChangedError';
}

/** For the user who pressed Ctrl-C; named so that it counts as an interruption. */
export class InterruptedTransfer extends Error {
  override readonly name = 'AbortError';
}

/** A file or folder could not be written. */
export const diskError = (path: string, cause: unknown): HubError =>
  new HubError(
    `cannot write ${path}: ${reasonOf(cause)}; ${FULL.has(codeOf(cause)) ? 'what is there is kept, make room or choose another place and run the same command again' : 'give another place (--to, HF_HOME), or leave to write there'}`,
    { cause },
  );

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export const deleteError = (path: string, cause: unknown): HubError =>
  new HubError(
    `cannot delete ${path}: ${reasonOf(cause)}; see to that and run the same command again`,
    { cause },
  );
