/**
 * When a kernel is warm, how many dispatches make a batch, and when there are enough samples: the
 * decisions of time-kernel.ts, without a device. `take(n)` gives the mean milliseconds of each of some
 * groups of dispatches: n alone on an exact clock, one batch of n on others.
 */
import { type Spread, spreadOf } from '../src/invsr/measure.ts';

export interface Sampling {
  readonly samples: number;
  /** Watch it no longer than this, but for MIN_SAMPLES. */
  readonly seconds: number;
  /** Shortest batch; 0 where every dispatch is timed by itself. */
  readonly batchMilliseconds: number;
  readonly now: () => number;
}

export const MIN_SAMPLES = 5;
/** Dispatches of a submit on an exact clock: short kernels would else measure the wake-up. */
const PER_SUBMIT = 5;
/** Kernels that take longer than this run one per submit. */
const LONG_MS = 200;
const WARM_UP_SECONDS = 1;
/** A group this little faster than the best before it was no longer warming up. */
const STEADY = 0.95;
/** Dispatches of one pass. A kernel that does not reach 2 ms with so many does nothing. */
const MAX_BATCH = 16_384;

/** How many dispatches to take after `count` of them took `milliseconds`; `count` if they suffice. */
export function nextBatch(count: number, milliseconds: number, wanted: number): number {
  if (milliseconds >= wanted || count >= MAX_BATCH) return count;
  // A tenth more than the estimate, at most eightfold: the first ones are slow or not seen at all.
  const estimate = Math.ceil((1.1 * count * wanted) / Math.max(milliseconds, 1e-6));
  return Math.min(MAX_BATCH, 8 * count, Math.max(count + 1, estimate));
}

/** Samples of one kernel, after warming up; each of them the mean of a batch where there are batches. */
export async function sample(
  take: (count: number) => Promise<number[]>,
  { samples, seconds, batchMilliseconds, now }: Sampling,
): Promise<Spread> {
  let best = Math.min(...(await take(1)));
  let count = best > LONG_MS ? 1 : PER_SUBMIT;
  if (batchMilliseconds > 0) {
    count = 1;
    for (;;) {
      const next = nextBatch(count, count * best, batchMilliseconds);
      if (next === count) break;
      count = next;
      best = Math.min(...(await take(count)));
    }
  }
  const warmBy = now() + 1000 * WARM_UP_SECONDS;
  while (now() < warmBy) {
    const fastest = Math.min(...(await take(count)));
    if (fastest > STEADY * best) break;
    best = fastest;
  }
  const found: number[] = [];
  const until = now() + 1000 * seconds;
  while (found.length < MIN_SAMPLES || (found.length < samples && now() < until)) {
    found.push(...(await take(count)));
  }
  return spreadOf(found);
}
