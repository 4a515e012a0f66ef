/**
 * Repeats what failed for now: waits base·2ⁿ with jitter, at most `maxMs`, or as long as the server
 * asks (Retry-After).
 */
import { HubError, TransientError } from './error.ts';

export interface RetryPolicy {
  /** Tries in a row without progress. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
  /** Longer than this nobody waits for a server. */
  readonly maxRetryAfterMs: number;
}

/** For questions: an answer or a sentence within seconds. */
export const ASK: RetryPolicy = {
  attempts: 4,
  baseMs: 500,
  maxMs: 4000,
  maxRetryAfterMs: 120_000,
};
/** For transfers: outlasts a router that starts again. */
export const TRANSFER: RetryPolicy = {
  attempts: 8,
  baseMs: 500,
  maxMs: 30_000,
  maxRetryAfterMs: 600_000,
};

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly signal?: AbortSignal | undefined;
  /** Grows while there is progress; then tries are counted from the beginning. */
  readonly progress?: () => number;
}

/** HubError with the last reason once the tries are used up. */
export async function retrying<T>(action: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { policy, signal, progress = () => 0 } = options;
  let before = progress();
  for (let failures = 1; ; failures++) {
    try {
      return await action();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientError)) throw error;
      if (progress() > before) failures = 1;
      before = progress();
      const { message, problem, retryAfterMs } = error;
      if (retryAfterMs !== undefined && retryAfterMs > policy.maxRetryAfterMs) {
        const minutes = Math.ceil(retryAfterMs / 60_000);
        throw new HubError(`${message}; the server asks to wait ${minutes} minutes: try later`, {
          cause: error,
          problem,
        });
      }
      if (failures >= policy.attempts) {
        throw new HubError(
          `${message} (${failures} tries); start it again: it continues where it stopped`,
          { cause: error, problem },
        );
      }
      const backoff = Math.min(policy.maxMs, policy.baseMs * 2 ** (failures - 1));
      // Half of it by chance, so that parallel requests do not come back together.
      const waitMs = retryAfterMs ?? backoff * (0.5 + Math.random() / 2);
      await sleep(waitMs, signal);
    }
  }
}

/** Node's has the same, but browsers do not. */
function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Retry-After in milliseconds: seconds or a date. */
export function retryAfterOf(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
