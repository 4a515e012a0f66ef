/** The colour matrices are each other's inverse, which neither kernel nor reference can show. */
import { expect, test } from 'vitest';
import { ycbcrFixReference } from '../../src/kernels/ycbcr-fix.ts';

const LEVELS = [0, 0.25, 0.5, 0.75, 1];
const colors = Float32Array.from(
  LEVELS.flatMap((r) => LEVELS.flatMap((g) => LEVELS.flatMap((b) => [r, g, b, 0]))),
);

test('an image that is its own style keeps its colours', () => {
  const fixed = ycbcrFixReference({ content: colors, style: colors });
  const worst = Math.max(...fixed.map((v, i) => Math.abs(v - colors[i]!)));
  // InvSR's inverse is rounded to 8 digits; that error, amplified by 255
  expect(worst).toBeLessThan(1e-5);
});

test('a grey style leaves the luma of the content', () => {
  const content = Float32Array.of(1, 0, 0, 0); // Y = 81.481 of 16..235
  const style = Float32Array.of(0.3, 0.3, 0.3, 0);
  const grey = (81.481 - 16) / 219;
  for (const v of ycbcrFixReference({ content, style }).subarray(0, 3)) {
    expect(Math.abs(v - grey)).toBeLessThan(1e-5);
  }
});
