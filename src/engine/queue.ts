/** Asynchronous work, one piece after another in the order of the calls. */
export interface Queue {
  /** Runs `work` once everything asked for before has ended, however it ended. */
  <T>(work: () => Promise<T>): Promise<T>;
  /** The same for work that is no one function: waits for its turn, and resolves to what ends it. */
  turn(): Promise<() => void>;
  /** Pieces that were asked for and have not ended. */
  readonly pending: number;
}

export function createQueue(): Queue {
  let last: Promise<void> = Promise.resolve();
  const turn = async (): Promise<() => void> => {
    const before = last;
    let resolve = (): void => {};
    last = new Promise((settle) => (resolve = settle));
    queue.pending++;
    await before;
    return () => {
      queue.pending--;
      resolve();
    };
  };
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    const end = await turn();
    try {
      return await work();
    } finally {
      end();
    }
  };
  const queue = Object.assign(run, { turn, pending: 0 });
  return queue;
}
