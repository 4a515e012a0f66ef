import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import {
  groupNormFinalize,
  groupNormFinalizeReference,
} from '../../src/kernels/group-norm-finalize.ts';
import { groupNormChunks } from '../../src/kernels/moments.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';
import { AT_MEAN_1000, describe, type Dims, type Values } from './group-norm-partial.cases.ts';

/** Means and M2 as partial makes them of pixels with `mean` and `std`. */
function finalizeCase(
  [batch, height, width, channels]: Dims,
  groups: number,
  eps: number,
  { mean = 0, std = 1, maxNmse }: Values = {},
): KernelCase {
  const pixels = height * width;
  const { chunks, chunkPixels } = groupNormChunks(pixels, channels);
  const partial: TensorType = { dtype: 'f32', shape: [batch, chunks, 3, channels] };
  const gamma: TensorType = { dtype: 'f32', shape: [channels] };
  return {
    name: `groupNormFinalize ${format(partial)} ${groups} groups eps ${eps} ${describe({ mean, std })}`,
    tags: ['edge'],
    inputs: { partial, gamma },
    data: (name, { shape }, seed) => {
      const values = normal(sizeOf(shape), seed);
      if (name === 'gamma') return values;
      return values.map((v, i) => {
        const row = Math.floor(i / channels);
        const chunk = Math.floor(row / 3) % chunks;
        const count = Math.min(chunkPixels, pixels - chunk * chunkPixels);
        if (row % 3 === 0) return count;
        return row % 3 === 1 ? mean + std * 0.1 * v : std ** 2 * count * (1 + 0.1 * Math.tanh(v));
      });
    },
    kernel: (target) => groupNormFinalize({ partial, gamma }, { groups, eps }, target),
    reference: (data) =>
      groupNormFinalizeReference(data as Record<'partial' | 'gamma', Float32Array>, {
        groups,
        eps,
        batch,
        chunks,
      }),
    ...(maxNmse && { maxNmse }),
  };
}

export const cases: readonly KernelCase[] = [
  finalizeCase([1, 1, 1, 4], 1, 1e-6),
  finalizeCase([2, 9, 7, 64], 32, 1e-6), // 2 channels per group
  finalizeCase([1, 24, 24, 320], 32, 1e-5), // 10
  finalizeCase([1, 5, 6, 48], 8, 1e-5), // 6
  finalizeCase([1, 512, 512, 32], 8, 1e-6), // a group of 1,048,576 elements
  finalizeCase([1, 16, 16, 64], 8, 1e-6, { mean: 1000, maxNmse: AT_MEAN_1000 }),
  finalizeCase([1, 16, 16, 64], 8, 1e-6, { mean: 0.3, std: 1e-3 }),
  finalizeCase([1, 16, 16, 64], 8, 1e-5, { mean: 0.3, std: 0 }),
];
