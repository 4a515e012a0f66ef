/**
 * Which design is the fastest, from times that a machine with other work to do gave. Pure functions.
 *
 * What disturbs a measurement makes it longer, so a design's time is the lower quartile of its samples.
 * The first candidate stands unless another one is faster by MIN_GAIN and beyond noise, which the ranks
 * of all samples tell, whatever their distribution (Mann and Whitney): of the m · n pairs of samples U
 * have the challenger's below the first's, and without a difference
 *
 *   z = (U - m·n / 2) / √(m·n·(m + n + 1) / 12)
 *
 * is normal. Of several such the fastest wins.
 */

/** Gains that are not worth another pipeline to compile. */
const MIN_GAIN = 0.03;
/** One side of the normal distribution: 0.6 %. Two times five samples without overlap have 2.6. */
const MIN_Z = 2.5;

/** Rounds before anything is decided. */
export const MIN_ROUNDS = 5;
export const MAX_ROUNDS = 20;
/** A candidate this much slower than the best so far is timed no more. */
const HOPELESS = 1.3;

/** Samples by design, in milliseconds. */
export type Samples = Readonly<Record<string, readonly number[]>>;

export interface Estimate {
  /** A quarter of the samples took less. */
  readonly time: number;
  readonly median: number;
}

export function estimate(samples: readonly number[]): Estimate {
  const sorted = samples.toSorted((a, b) => a - b);
  return { time: quantile(sorted, 0.25), median: quantile(sorted, 0.5) };
}

/** Of ascending values, interpolated between neighbours. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at % 1);
}

/** How many standard deviations beyond chance `a` is below `b`. */
export function rankScore(a: readonly number[], b: readonly number[]): number {
  let below = 0;
  for (const x of a) for (const y of b) below += x < y ? 1 : x === y ? 0.5 : 0;
  const [m, n] = [a.length, b.length];
  return (below - (m * n) / 2) / Math.sqrt((m * n * (m + n + 1)) / 12);
}

/** The design to use: `first`, or one that is faster beyond noise. */
export function decide(first: string, samples: Samples): string {
  const challengers = Object.entries(samples)
    .filter(([design, { length }]) => design !== first && length >= MIN_ROUNDS)
    .map(([design, all]) => ({ design, all, ...estimate(all) }))
    .toSorted((a, b) => a.time - b.time);
  const reference = samples[first];
  // Where the first candidate is out of the race, the best of the others is.
  if (!reference) return challengers[0]?.design ?? first;
  const now = estimate(reference);
  return (
    challengers.find(
      ({ all, time }) => time <= (1 - MIN_GAIN) * now.time && rankScore(all, reference) >= MIN_Z,
    )?.design ?? first
  );
}

/** Those worth another round: the first candidate, and what is not far behind the best. */
export function contenders(first: string, samples: Samples): string[] {
  const times = Object.entries(samples).map(([design, all]) => ({
    design,
    time: estimate(all).time,
  }));
  const best = Math.min(...times.map(({ time }) => time));
  return times
    .filter(({ design, time }) => design === first || time <= HOPELESS * best)
    .map(({ design }) => design);
}
