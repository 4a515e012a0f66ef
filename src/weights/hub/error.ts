/** How transfers fail: for good, for now, or because the file is another one than before. */
import { codeOf, reasonOf } from '../reason.ts';

/**
 * Why a transfer ends. `unreachable`: no connection, or it was cut. `refused`: the server cannot give it now.
 * `unusable`: the server is none that serves: no byte ranges, no ETag, http:// for a page of https://, or its answers
 * make no sense. `denied`: it wants a login, or terms accepted. `missing`: it is not there.
 * `damaged`: what came is not what was announced.
 */
export type TransferProblem =
  | 'unreachable'
  | 'refused'
  | 'unusable'
  | 'denied'
  | 'missing'
  | 'damaged';

/**
 * Why it cannot be kept. `unsupported`: this browser or page has no storage that serves. `quota`: no room.
 * `busy`: another tab works on the model. `failed`: the storage does not read or write.
 */
export type StorageProblem = 'unsupported' | 'quota' | 'busy' | 'failed';

interface HubErrorOptions extends ErrorOptions {
  readonly problem?: TransferProblem | StorageProblem | undefined;
}

/** The hub, the network or the disk refused. The message says what, where, and what to do. */
export class HubError extends Error {
  override readonly name: string = 'HubError';
  /** Undefined where none of these is to blame, as where a model has another name. */
  readonly problem: TransferProblem | StorageProblem | undefined;

  constructor(message: string, { problem, ...options }: HubErrorOptions = {}) {
    super(message, options);
    this.problem = problem;
  }
}

/** An environment variable or a flag holds what cannot be used. */
export class HubSettingError extends Error {
  override readonly name = 'HubSettingError';
}

/** A try that may succeed when repeated (retry.ts). */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  readonly problem: TransferProblem;
  /** What the server asked for by Retry-After. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    { problem = 'unreachable', retryAfterMs, ...options }: TransientOptions = {},
  ) {
    super(message, options);
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

interface TransientOptions extends ErrorOptions {
  /** @default unreachable */
  readonly problem?: TransferProblem;
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
    { cause, problem: FULL.has(codeOf(cause)) ? 'quota' : 'failed' },
  );

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export const deleteError = (path: string, cause: unknown): HubError =>
  new HubError(
    `cannot delete ${path}: ${reasonOf(cause)}; see to that and run the same command again`,
    { cause },
  );
