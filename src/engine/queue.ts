import { unlessAborted } from './unless-aborted.ts';

/**
 * Asynchronous work, one piece after another in the order of the calls. Who waits with a signal leaves
 * the queue as soon as it aborts, with its reason; those behind wait for the ones before.
 */
export interface Queue {
  /** Runs `work` once everything asked for before has ended, however it ended. */
  <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** The same for work that is no one function: waits for its turn, and resolves to what ends it. */
  turn(signal?: AbortSignal): Promise<() => void>;
  /** Pieces that were asked for and have not ended. */
  readonly pending: number;
}

export function createQueue(): Queue {
  let last: Promise<void> = Promise.resolve();
  const turn = async (signal?: AbortSignal): Promise<() => void> => {
    const before = last;
    let resolve = (): void => {};
    last = new Promise((settle) => (resolve = settle));
    queue.pending++;
    const end = (): void => {
      queue.pending--;
      resolve();
    };
    try {
      await (signal ? unlessAborted(before, signal) : before);
    } catch (error) {
      void before.then(end); // whoever is behind must not overtake
      throw error;
    }
    return end;
  };
  const run = async <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const end = await turn(signal);
    try {
      return await work();
    } finally {
      end();
    }
  };
  const queue = Object.assign(run, { turn, pending: 0 });
  return queue;
}
