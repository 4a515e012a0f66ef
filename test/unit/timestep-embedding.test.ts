/** The embedding against the official code's f32 numbers, where f32 rounding shows most. */
import { expect, test } from 'vitest';
import {
  timestepEmbedding,
  timestepEmbeddingReference,
} from '../../src/kernels/timestep-embedding.ts';

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;

/** [timestep, index, value] of diffusers' get_timestep_embedding(t, 320, True, 0) on a CPU. */
const OFFICIAL = [
  [199, 2, 0.14057005941867828],
  [199, 6, -0.8821238875389099],
  [199, 166, 0.471017450094223],
  [199, 185, -0.06639183312654495],
  [999, 2, -0.2780621349811554],
  [999, 4, -0.2780173718929291],
  [999, 7, -0.08698814362287521],
  [999, 174, 0.13040918111801147],
] as const;

test.each(OFFICIAL)('timestep %d, index %d', (timestep, index, value) => {
  const constants = { timestep, dim: 320, flipSinToCos: true, freqShift: 0 };
  const { params } = timestepEmbedding({}, constants, target);
  // 1e-7 is an f32 ulp of values up to 1; f64 arithmetic is off by 5e-6 to 5e-5 at these indices
  expect(Math.abs(params[`value${index}`]!.value - value)).toBeLessThan(1e-7);
});

test('f32 rounding moves the embedding by up to 5e-5 at timestep 999', () => {
  const constants = { timestep: 999, dim: 320, flipSinToCos: true, freqShift: 0 };
  const values = Object.values(timestepEmbedding({}, constants, target).params);
  const exact = timestepEmbeddingReference(constants);
  const errors = values.map(({ value }, i) => Math.abs(value - exact[i]!));
  expect(Math.max(...errors)).toBeCloseTo(5.2e-5, 6);
});
