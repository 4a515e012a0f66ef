import {
  timestepEmbedding,
  type TimestepEmbeddingConstants,
  timestepEmbeddingReference,
} from '../../src/kernels/timestep-embedding.ts';
import type { KernelCase } from './cases.ts';

const embeddingCase = (
  constants: TimestepEmbeddingConstants,
  tags: KernelCase['tags'],
): KernelCase => ({
  name: `timestepEmbedding ${JSON.stringify(constants)}`,
  tags,
  inputs: {},
  kernel: (target) => timestepEmbedding({}, constants, target),
  reference: () => timestepEmbeddingReference(constants),
  // The kernel rounds to f32 as the official code does: three roundings in an exponent e ≥ -9.2
  // (|e|·exp(e) ≤ 0.37), one ulp in exp and half an ulp in t·f move an angle by up to 4.1 half-ulps
  // of t, δ = 2.5e-7·t. A pair (cos, sin) has power 1 and squared error δ².
  maxNmse: Math.max(1e-12, 6.3e-14 * constants.timestep ** 2),
});

const usual = { flipSinToCos: true, freqShift: 0 } as const;

export const cases: readonly KernelCase[] = [
  embeddingCase({ timestep: 0, dim: 4, ...usual }, ['edge']),
  embeddingCase({ timestep: 0.5, dim: 12, flipSinToCos: false, freqShift: 1 }, ['edge']),
  embeddingCase({ timestep: 3, dim: 32, flipSinToCos: false, freqShift: 0 }, ['edge']),
  embeddingCase({ timestep: 999, dim: 320, ...usual }, ['edge']),
  embeddingCase({ timestep: 199, dim: 128, ...usual }, ['real']),
  embeddingCase({ timestep: 199, dim: 320, ...usual }, ['real']),
];
