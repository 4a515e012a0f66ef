import { format, type TensorType } from '../../src/engine/kernel.ts';
import { waveletLow, waveletLowReference } from '../../src/kernels/wavelet-low.ts';
import type { KernelCase } from './cases.ts';

const waveletLowCase = (x: TensorType, dilation: number, tags: KernelCase['tags']): KernelCase => ({
  name: `waveletLow ${format(x)} dilation ${dilation}`,
  tags,
  inputs: { x },
  kernel: (target) => waveletLow({ x }, { dilation }, target),
  reference: (data) => waveletLowReference({ x: data['x'] as Float32Array }, x.shape, { dilation }),
});

export const cases: readonly KernelCase[] = [
  waveletLowCase({ dtype: 'f32', shape: [1, 1, 1, 4] }, 1, ['edge']),
  waveletLowCase({ dtype: 'f16', shape: [2, 5, 7, 8] }, 2, ['edge']),
  // the dilation exceeds both sides: every outer tap is a border pixel
  waveletLowCase({ dtype: 'f32', shape: [2, 9, 6, 4] }, 16, ['edge']),
  waveletLowCase({ dtype: 'f32', shape: [1, 512, 512, 4] }, 8, ['real', 'perf']),
];
