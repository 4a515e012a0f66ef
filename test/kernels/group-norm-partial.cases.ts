import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import {
  groupNormPartial,
  groupNormPartialReference,
} from '../../src/kernels/group-norm-partial.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

export type Dims = readonly [batch: number, height: number, width: number, channels: number];

export interface Values {
  readonly mean?: number;
  readonly std?: number;
  readonly maxNmse?: number;
}

export const describe = ({ mean = 0, std = 1 }: Values) => `mean ${mean} std ${std}`;

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

/**
 * The means' 1e6 of power would hide the spread: this admits every mean off by half an ulp (1e-15)
 * and spreads off by 1e-4 of their own size, no more.
 */
export const AT_MEAN_1000 = 1e-14;

export const cases: readonly KernelCase[] = [
  partialCase('f32', [1, 1, 1, 4]),
  partialCase('f16', [2, 9, 7, 64]), // two chunks, the second one pixel short of full
  partialCase('f32', [1, 11, 13, 20]),
  partialCase('f32', [1, 16, 16, 64], { mean: 1000, maxNmse: AT_MEAN_1000 }),
  partialCase('f32', [1, 8, 8, 32], { mean: 0.3, std: 1e-3 }),
  partialCase('f32', [1, 8, 8, 32], { mean: 0.3, std: 0 }),
  partialCase('f32', [1, 300, 300, 8], {}, ['edge']),
  partialCase('f16', [1, 64, 64, 320], {}, ['real', 'perf']),
];
