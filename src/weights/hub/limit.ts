/** Actions that run beside each other. */

/** At most `count` actions at a time, first come first served. */
export type Limit = <T>(action: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

export function createLimit(count: number): Limit {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (action, signal) => {
    if (running >= count) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      signal?.throwIfAborted();
      return await action();
    } finally {
      // The place goes to the next in line, or is free.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

/** The action on all at once; the first failure aborts the others' signals, and is what is thrown. */
export async function together<T>(
  items: Iterable<T>,
  action: (item: T, signal: AbortSignal) => Promise<void>,
  outer?: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const signal = outer ? AbortSignal.any([outer, stop.signal]) : stop.signal;
  let failure: unknown;
  await Promise.all(
    [...items].map(async (item) => {
      try {
        await action(item, signal);
      } catch (error) {
        // The others then fail with the abort, which says nothing.
        if (!stop.signal.aborted) failure = error;
        stop.abort();
      }
    }),
  );
  if (!stop.signal.aborted) return;
  outer?.throwIfAborted();
  throw failure;
}
