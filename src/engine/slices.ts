/**
 * Long work of the host in slices, so that a page on the same thread stays alive: a generator that yields
 * where it can be interrupted, or what it misses where it needs code that is not loaded yet.
 *
 * A slice belongs to the thread's task, not to the work: whatever else goes on in the same task (the tail of
 * the work before, another call's) has its share of the same few milliseconds.
 */
import { NotLoadedError } from './on-demand.ts';

/** Yields where it can be interrupted; an error, where that code has to come first. */
export type Work<T> = Generator<NotLoadedError | void, T>;

/** Milliseconds of work in one task: with what one step of it takes, well within a frame. */
const SLICE_MS = 8;

/** When work began in the task that is under way; undefined before it does. */
let begun: number | undefined;

/** Whether this task has worked for long enough. */
function isOver(): boolean {
  const now = performance.now();
  if (begun === undefined) {
    begun = now;
    void nextTask(); // which forgets it
  }
  return now - begun >= SLICE_MS;
}

/** The work's result, all at once. NotLoadedError: it would have to wait for code. */
export function atOnce<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (step.value) throw step.value;
  }
}

/** The same with pauses in which the thread does what else it has to do. */
export async function inSlices<T>(work: Work<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    while (!isOver()) {
      const step = work.next();
      if (step.done) return step.value;
      if (step.value) await step.value.load();
    }
    await nextTask();
  }
}

/** For work that is async already, between its steps: lets go of the thread once a slice is over. */
export async function letGo(): Promise<void> {
  if (isOver()) await nextTask();
}

/** What `make` gives; it is called again when the code that it missed is there, so it changes nothing before. */
export function* whenLoaded<T>(make: () => T): Work<T> {
  for (;;) {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof NotLoadedError)) throw error;
      yield error;
    }
  }
}

/** A task of its own. Timers would wait for a second each in a tab that is hidden; messages do not. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const end = (): void => {
      port1.close();
      begun = undefined;
      resolve();
    };
    port1.addEventListener('message', end, { once: true });
    port1.start();
    port2.postMessage(null);
  });
}
