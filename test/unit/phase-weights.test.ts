/** Phase weights against the operation they replace: convolution of the upsampled image. */
import { expect, test } from 'vitest';
import { conv2dReference } from '../../src/kernels/conv2d.ts';
import { upsampleConv2dReference } from '../../src/kernels/upsample-conv2d.ts';
import { phaseWeights } from '../../src/weights/phase-weights.ts';
import { normal } from '../harness/random.ts';

function nearest2x(x: Float32Array, [batch, height, width, channels]: readonly number[]) {
  const y = new Float32Array(4 * x.length);
  for (let i = 0; i < y.length; i++) {
    const c = i % channels!;
    const pixel = Math.floor(i / channels!);
    const column = Math.floor((pixel % (2 * width!)) / 2);
    const row = Math.floor((Math.floor(pixel / (2 * width!)) % (2 * height!)) / 2);
    const n = Math.floor(pixel / (4 * height! * width!));
    expect(n).toBeLessThan(batch!);
    y[i] = x[((n * height! + row) * width! + column) * channels! + c]!;
  }
  return y;
}

test.each([
  [1, 1, 1, 4, 4],
  [2, 3, 5, 4, 8],
  [1, 6, 2, 8, 4],
])('%i images of %ix%i, %i → %i channels', (batch, height, width, ci, co) => {
  const x = normal(batch * height * width * ci, 1);
  const weight = normal(9 * ci * co, 2);
  const bias = normal(co, 3);
  const expected = conv2dReference(
    { x: nearest2x(x, [batch, height, width, ci]), weight, bias },
    { x: [batch, 2 * height, 2 * width, ci], weight: [3, 3, ci, co] },
    { padding: { top: 1, left: 1, bottom: 1, right: 1 }, activation: 'silu' },
  );
  const actual = upsampleConv2dReference(
    { x, weight: phaseWeights(weight, ci, co), bias },
    { x: [batch, height, width, ci], weight: [2, 2, 2, 2, ci, co] },
    { activation: 'silu' },
  );
  expect(actual.length).toBe(expected.length);
  // Sums of taps are rounded to f32 once more: 2^-24 each of up to 4·ci terms of order 1.
  const limit = 4 * ci * 4 * 2 ** -24;
  for (const [i, v] of actual.entries()) expect(Math.abs(v - expected[i]!)).toBeLessThan(limit);
});
