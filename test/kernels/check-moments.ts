/** A kernel's second output, against the first one: moments of the values that were stored. */
import { expect } from 'vitest';
import type { Kernel } from '../../src/engine/kernel.ts';
import { nmse } from '../harness/run-kernel.ts';

/**
 * Which pixels a chunk has is the program's own affair. So it is each image's chunks merged that must be
 * right for every run of channels, in f64; and chunks must be as many values as there are.
 *
 * Measured: means off by 3e-8 of the spread, M2 by 1e-7 of itself, twice that where |mean| is 1000. Of f16
 * they may be moments before rounding: lavapipe drops a conversion to f16 and back. Rounding is off by up to
 * 2^-11 of a value, evenly spread: rms 2^-11/√3; of the mean of n values 1/√n of that. Five times it is allowed.
 */
export function checkMoments(kernel: Kernel, y: Float32Array, moments: Float32Array): void {
  const [batch = 0, chunks = 0, rows = 0, entries = 0] = kernel.moments!.type.shape;
  const channels = kernel.output.type.shape.at(-1)!;
  const width = channels / entries;
  const pixels = y.length / batch / channels;
  const found = { mean: new Float32Array(batch * entries), m2: new Float32Array(batch * entries) };
  const expected = { mean: found.mean.slice(), m2: found.m2.slice() };
  let rounding = 0;
  for (let n = 0; n < batch; n++) {
    for (let e = 0; e < entries; e++) {
      let [count, mean, m2] = [0, 0, 0];
      for (let chunk = 0; chunk < chunks; chunk++) {
        const at = (n * chunks + chunk) * rows * entries + e;
        const size = moments[at]!;
        expect(size, `count of chunk ${chunk}`).toBeGreaterThan(0);
        const d = moments[at + entries]! - mean;
        m2 += moments[at + 2 * entries]! + (d * d * count * size) / (count + size);
        count += size;
        mean += (d * size) / count;
      }
      expect(count).toBe(pixels * width);
      const values = Array.from({ length: count }, (_, i) => {
        const pixel = n * pixels + Math.floor(i / width);
        return y[pixel * channels + e * width + (i % width)]!;
      });
      const average = values.reduce((sum, v) => sum + v, 0) / count;
      const spread = values.reduce((sum, v) => sum + (v - average) ** 2, 0);
      const deviation = Math.sqrt(spread / count) || 1;
      // In units of the spread, so that a large mean hides nothing.
      found.mean[n * entries + e] = (mean - average) / deviation;
      if (kernel.output.type.dtype === 'f16') {
        const rms = Math.hypot(average, deviation);
        rounding = Math.max(rounding, (5 * 2 ** -11 * rms) / deviation / Math.sqrt(3 * count));
      }
      found.m2[n * entries + e] = m2;
      expected.m2[n * entries + e] = spread;
    }
  }
  for (const [i, off] of found.mean.entries()) {
    expect(Math.abs(off), `mean of entry ${i}, in standard deviations`).toBeLessThan(
      MAX_OFF + rounding,
    );
  }
  // M2 follows twice as fast: (v + r - mean)² = (v - mean)² + 2r(v - mean).
  expect(nmse(found.m2, expected.m2), 'NMSE of M2').toBeLessThan((MAX_OFF + 2 * rounding) ** 2);
}

const MAX_OFF = 1e-5;
