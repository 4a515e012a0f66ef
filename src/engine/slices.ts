/**
 * Long work of the host in slices, so that a page on the same thread stays alive: a generator that yields
 * where it can be interrupted.
 */

/** Milliseconds of work at a time: with what one step of it takes, well within a frame. */
const SLICE_MS = 8;

/** The work's result, all at once. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** The same with pauses in which the thread does what else it has to do. */
export async function inSlices<T>(work: Generator<void, T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    const start = performance.now();
    while (performance.now() - start < SLICE_MS) {
      const step = work.next();
      if (step.done) return step.value;
    }
    await pause();
  }
}

/** For work that is async already: awaited between its steps, a pause once a slice is over. */
export function createPauses(): () => Promise<void> {
  let end = performance.now() + SLICE_MS;
  return async () => {
    if (performance.now() < end) return;
    await pause();
    end = performance.now() + SLICE_MS;
  };
}

/** A task of its own. Timers would wait for a second each in a tab that is hidden; messages do not. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const end = (): void => {
      port1.close();
      resolve();
    };
    port1.addEventListener('message', end, { once: true });
    port1.start();
    port2.postMessage(null);
  });
}
