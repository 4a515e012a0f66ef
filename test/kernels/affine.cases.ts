import { format, type TensorType } from '../../src/engine/kernel.ts';
import { affine, type AffineConstants, affineReference } from '../../src/kernels/affine.ts';
import type { KernelCase } from './cases.ts';

function affineCase(
  a: TensorType,
  b: TensorType | undefined,
  constants: AffineConstants,
  tags: KernelCase['tags'],
  data?: NonNullable<KernelCase['data']>,
): KernelCase {
  return {
    name: `affine ${format(a)}${b ? ` + ${b.dtype}` : ''} ${JSON.stringify(constants)}`,
    tags,
    inputs: b ? { a, b } : { a },
    ...(data && { data }),
    kernel: (target) => affine({ a, b }, constants, target),
    reference: ({ a, b }) =>
      affineReference({ a: a as Float32Array, b: b as Float32Array | undefined }, constants),
  };
}

export const cases: readonly KernelCase[] = [
  affineCase({ dtype: 'f32', shape: [4] }, undefined, { alpha: 2, gamma: -1 }, ['edge']),
  affineCase({ dtype: 'f16', shape: [1, 4] }, undefined, { alpha: 2, gamma: -1 }, ['edge']),
  affineCase(
    { dtype: 'f32', shape: [3, 5, 7, 4] },
    { dtype: 'f16', shape: [3, 5, 7, 4] },
    { alpha: 1, beta: -0.5, min: -1, max: 1 },
    ['edge'],
  ),
  // 66,000 workgroups: more than one row of the dispatch grid, which is the same in both families.
  {
    ...affineCase(
      { dtype: 'f16', shape: [66_000, 256] },
      undefined,
      { alpha: 0.5 },
      ['edge'],
      (_, { shape }) => new Float32Array(shape[0]! * shape[1]!).map((_v, i) => i % 251),
    ),
    families: ['cpu'],
  },
  affineCase(
    { dtype: 'f32', shape: [1, 64, 64, 16] },
    { dtype: 'f32', shape: [1, 64, 64, 16] },
    { alpha: 1, beta: -0.569 },
    ['real', 'perf'],
  ),
];
