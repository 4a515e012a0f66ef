/**
 * Reads that run ahead of their use, into a few pieces of memory that are used again and again.
 *
 *   step   0   1   2   3
 *   read  ▒▒▒ ▒▒▒ ▒▒▒     ▒▒▒           depth 3: the fourth waits for the first one's memory
 *   use       ███ ██████ ███ ███        one after another, in order
 */
export interface ReadStep {
  readonly bytes: number;
  /** Fills the first `bytes` of `memory`. */
  read(memory: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Has no use for `memory` after it settles. */
  use(memory: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Settles when nothing is under way any more: neither a read nor a use. */
export async function readAhead(steps: readonly ReadStep[], depth: number): Promise<void> {
  const size = Math.max(0, ...steps.map(({ bytes }) => bytes));
  const reads: Promise<void>[] = [];
  const memory = Array.from({ length: Math.min(depth, steps.length) }, () => new Uint8Array(size));
  const start = (index: number): void => {
    const [step, target] = [steps[index], memory[index % depth]];
    if (!step || !target) return;
    const read = step.read(target);
    // It may fail while an earlier step is used.
    read.catch(() => {});
    reads[index] = read;
  };
  for (let i = 0; i < depth; i++) start(i);
  try {
    for (const [i, step] of steps.entries()) {
      await reads[i];
      const target = memory[i % depth];
      if (target) await step.use(target);
      start(i + depth);
    }
  } finally {
    await Promise.allSettled(reads);
  }
}
