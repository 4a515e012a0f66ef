import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import {
  groupNormChunks,
  groupNormFinalize,
  groupNormFinalizeReference,
  groupNormPartial,
  groupNormPartialReference,
} from '../../src/kernels/group-norm-stats.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

type Dims = readonly [batch: number, height: number, width: number, channels: number];

interface Values {
  readonly mean?: number;
  readonly std?: number;
  readonly maxNmse?: number;
}

const describe = ({ mean = 0, std = 1 }: Values) => `mean ${mean} std ${std}`;

function partialCase(
  dtype: 'f32' | 'f16',
  shape: Dims,
  values: Values = {},
  tags: KernelCase['tags'] = ['edge'],
): KernelCase {
  const x: TensorType = { dtype, shape };
  const [batch, height, width, channels] = shape;
  return {
    name: `groupNormPartial ${format(x)} ${describe(values)}`,
    tags,
    inputs: { x },
    data: (_, type, seed) => normal(sizeOf(type.shape), seed, values),
    kernel: (target) => groupNormPartial({ x }, {}, target),
    reference: ({ x: data }) =>
      groupNormPartialReference(
        { x: data as Float32Array },
        { batch, pixels: height * width, channels },
      ),
    ...(values.maxNmse && { maxNmse: values.maxNmse }),
  };
}

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

/**
 * The means' 1e6 of power would hide the spread: this admits every mean off by half an ulp (1e-15)
 * and spreads off by 1e-4 of their own size, no more.
 */
const AT_MEAN_1000 = 1e-14;

export const cases: readonly KernelCase[] = [
  partialCase('f32', [1, 1, 1, 4]),
  partialCase('f16', [2, 9, 7, 64]), // two chunks, the second one pixel short of full
  partialCase('f32', [1, 11, 13, 20]),
  partialCase('f32', [1, 16, 16, 64], { mean: 1000, maxNmse: AT_MEAN_1000 }),
  partialCase('f32', [1, 8, 8, 32], { mean: 0.3, std: 1e-3 }),
  partialCase('f32', [1, 8, 8, 32], { mean: 0.3, std: 0 }),
  partialCase('f32', [1, 300, 300, 8], {}, ['edge']),
  partialCase('f16', [1, 64, 64, 320], {}, ['real', 'perf']),
  finalizeCase([1, 1, 1, 4], 1, 1e-6),
  finalizeCase([2, 9, 7, 64], 32, 1e-6), // 2 channels per group
  finalizeCase([1, 24, 24, 320], 32, 1e-5), // 10
  finalizeCase([1, 5, 6, 48], 8, 1e-5), // 6
  finalizeCase([1, 512, 512, 32], 8, 1e-6), // a group of 1,048,576 elements
  finalizeCase([1, 16, 16, 64], 8, 1e-6, { mean: 1000, maxNmse: AT_MEAN_1000 }),
  finalizeCase([1, 16, 16, 64], 8, 1e-6, { mean: 0.3, std: 1e-3 }),
  finalizeCase([1, 16, 16, 64], 8, 1e-5, { mean: 0.3, std: 0 }),
];
