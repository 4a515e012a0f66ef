/** What browsers' storage refuses, in words. */
import { HubError, type StorageProblem } from '../hub/error.ts';

export interface StorageErrorOptions extends ErrorOptions {
  readonly problem: StorageProblem;
  /** With `quota`: what is still to be stored, and for how much there is room. */
  readonly neededBytes?: number | undefined;
  readonly freeBytes?: number | undefined;
}

/** A model cannot be kept in this browser. The message says why and what to do. */
export class StorageError extends HubError {
  override readonly name = 'StorageError';
  override readonly problem: StorageProblem;
  readonly neededBytes: number | undefined;
  readonly freeBytes: number | undefined;

  constructor(message: string, options: StorageErrorOptions) {
    super(message, options);
    this.problem = options.problem;
    this.neededBytes = options.neededBytes;
    this.freeBytes = options.freeBytes;
  }
}

/** By name: browsers are about to make it a class of its own. */
const isQuota = (error: unknown): boolean =>
  error instanceof Error && error.name === 'QuotaExceededError';

/** Whatever the storage threw while it did `what`, e.g. "write unet/config.json". */
export function storageError(what: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (isQuota(cause)) {
    return new StorageError(`cannot ${what}: no room left in this browser`, {
      problem: 'quota',
      cause,
    });
  }
  return new StorageError(`cannot ${what} in this browser's storage (${reason}); try again`, {
    problem: 'failed',
    cause,
  });
}

/** 1.7 GB; powers of ten, as browsers and systems tell it. */
export function megabytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return `${(bytes / 1e6).toFixed(bytes >= 1e7 ? 0 : 1)} MB`;
}
