import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import { ycbcrFix, ycbcrFixReference } from '../../src/kernels/ycbcr-fix.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

const ycbcrFixCase = (
  content: TensorType,
  style: TensorType,
  tags: KernelCase['tags'],
): KernelCase => ({
  name: `ycbcrFix ${format(content)} ${style.dtype}`,
  tags,
  inputs: { content, style },
  // colours, some outside 0..1 so that every clamp is reached
  data: (_, { shape }, seed) => normal(sizeOf(shape), seed, { mean: 0.5, std: 0.4 }),
  kernel: (target) => ycbcrFix({ content, style }, {}, target),
  reference: ({ content, style }) =>
    ycbcrFixReference({ content: content as Float32Array, style: style as Float32Array }),
});

export const cases: readonly KernelCase[] = [
  ycbcrFixCase({ dtype: 'f32', shape: [1, 1, 1, 4] }, { dtype: 'f32', shape: [1, 1, 1, 4] }, [
    'edge',
  ]),
  ycbcrFixCase({ dtype: 'f16', shape: [2, 9, 7, 4] }, { dtype: 'f32', shape: [2, 9, 7, 4] }, [
    'edge',
  ]),
  ycbcrFixCase(
    { dtype: 'f32', shape: [1, 256, 256, 4] },
    { dtype: 'f32', shape: [1, 256, 256, 4] },
    ['real', 'perf'],
  ),
];
