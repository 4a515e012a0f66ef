/** Asynchronous work, one piece after another in the order of the calls. */
export interface Queue {
  /** Runs `work` once everything asked for before has ended, however it ended. */
  <T>(work: () => Promise<T>): Promise<T>;
}

export function createQueue(): Queue {
  let last: Promise<void> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    // Settles to nothing: the queue must not keep the latest result alive.
    last = result.then(ignore, ignore);
    return result;
  };
}

const ignore = (): void => {};
