/** Asynchronous work, one piece after another in the order of the calls. */
export interface Queue {
  /** Runs `work` once everything asked for before has ended, however it ended. */
  <T>(work: () => Promise<T>): Promise<T>;
  /** Pieces that were asked for and have not ended. */
  readonly pending: number;
}

export function createQueue(): Queue {
  let last: Promise<void> = Promise.resolve();
  let pending = 0;
  const end = (): void => void pending--;
  const queue = <T>(work: () => Promise<T>): Promise<T> => {
    pending++;
    const result = last.then(work);
    // Settles to nothing: the queue must not keep the latest result alive.
    last = result.then(end, end);
    return result;
  };
  return Object.defineProperty(queue, 'pending', { get: () => pending }) as Queue;
}
