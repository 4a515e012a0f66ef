/**
 * How far a kernel's output may be from its f64 reference.
 *
 *   NMSE = Σ (actual - expected)² / Σ expected²
 */

/**
 * Limit of sums of `terms` independent products, added up one after another in f32.
 *
 * Addition t rounds a running sum of power t by at most 2^-24 of it, and a uniform error has a third
 * of its bound's power: Σ t/3 · 2^-48 ≈ terms²/6 · 2^-48, against a result of power `terms`. The
 * limit is six times that; the floor of 16 leaves room for the epilogue of short sums.
 */
export const sumNmse = (terms: number): number => Math.max(16, terms) * 2 ** -48;

/**
 * Designs called `… chunk` sum the products of a step of 32 terms in f16: as sumNmse, with f16's 2^-11
 * in place of 2^-24.
 */
export const CHUNK_NMSE = 32 * 2 ** -22;

/** Outputs stored as f16: one rounding is 2e-8 of relative power; measured up to 1.6e-7. */
export const HALF_NMSE = 1e-6;

/** Exponentials and quotients in f32, as attention has them. */
export const SINGLE_NMSE = 1e-12;

/** Infinity where a value is none: an element that was not written is NaN. */
export function nmse(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0;
  let power = 0;
  for (let i = 0; i < expected.length; i++) {
    const value = expected[i] ?? Number.NaN;
    error += ((actual[i] ?? Number.NaN) - value) ** 2;
    power += value ** 2;
  }
  const ratio = power === 0 ? error : error / power;
  return Number.isFinite(ratio) ? ratio : Number.POSITIVE_INFINITY;
}
