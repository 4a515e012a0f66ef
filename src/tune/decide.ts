/**
 * Which design is the fastest, from times that a machine with other work to do gave. Pure functions.
 *
 * What disturbs a measurement makes it longer, so a design's time is the lower quartile of its samples.
 * Of n normal samples that has the standard error √(p(1-p)) / φ(x_p) · σ / √n = 1.36 · σ / √n, and σ is
 * (median - quartile) / 0.674: a long tail of slow samples moves neither.
 *
 * The first candidate stands unless another one is faster beyond noise: by MIN_GAIN of its time, and by
 * SIGMAS standard errors of the difference. Of several such the fastest wins.
 */

/** Gains that are not worth another pipeline to compile. */
export const MIN_GAIN = 0.03;
const SIGMAS = 3;

/** Rounds before anything is decided. */
export const MIN_ROUNDS = 5;
export const MAX_ROUNDS = 20;
/** A candidate this much slower than the best so far is timed no more. */
const HOPELESS = 1.3;

/** Samples by design, in milliseconds of one dispatch. */
export type Samples = Readonly<Record<string, readonly number[]>>;

export interface Estimate {
  /** A quarter of the samples took less, in milliseconds. */
  readonly time: number;
  /** Its standard error. */
  readonly error: number;
}

export function estimate(samples: readonly number[]): Estimate {
  const sorted = samples.toSorted((a, b) => a - b);
  const time = quantile(sorted, 0.25);
  const deviation = (quantile(sorted, 0.5) - time) / 0.6745;
  return { time, error: (1.3626 * deviation) / Math.sqrt(sorted.length) };
}

/** Of ascending values, interpolated between neighbours. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at % 1);
}

/** The design to use: `first`, or one that is faster beyond noise. */
export function decide(first: string, samples: Samples): string {
  const reference = samples[first];
  const challengers = Object.entries(samples)
    .filter(([design, { length }]) => design !== first && length >= MIN_ROUNDS)
    .map(([design, times]) => ({ design, ...estimate(times) }))
    .toSorted((a, b) => a.time - b.time);
  // Where the first candidate is out of the race, the best of the others is.
  if (!reference) return challengers[0]?.design ?? first;
  const now = estimate(reference);
  const isFaster = ({ time, error }: Estimate): boolean =>
    now.time - time > Math.max(MIN_GAIN * now.time, SIGMAS * Math.hypot(error, now.error));
  return challengers.find(isFaster)?.design ?? first;
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
