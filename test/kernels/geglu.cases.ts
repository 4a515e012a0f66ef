import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import { geglu, gegluReference } from '../../src/kernels/geglu.ts';
import type { KernelCase } from './cases.ts';

function gegluCase(
  x: TensorType,
  tags: KernelCase['tags'],
  data?: NonNullable<KernelCase['data']>,
): KernelCase {
  return {
    name: `geglu ${format(x)}${data ? ' sweep' : ''}`,
    tags,
    inputs: { x },
    ...(data && { data }),
    kernel: (target) => geglu({ x }, {}, target),
    reference: ({ x: values }) =>
      gegluReference({ x: values as Float32Array }, { channels: (x.shape.at(-1) ?? 0) / 2 }),
  };
}

export const cases: readonly KernelCase[] = [
  gegluCase({ dtype: 'f32', shape: [1, 8] }, ['edge']),
  gegluCase({ dtype: 'f16', shape: [2, 7, 96] }, ['edge']),
  // gelu alone over [-6, 6]: a first half of ones
  gegluCase({ dtype: 'f32', shape: [1, 8192] }, ['edge'], (_, { shape }) =>
    new Float32Array(sizeOf(shape)).map((_v, i) => (i < 4096 ? 1 : -6 + (12 * (i - 4096)) / 4095)),
  ),
  gegluCase({ dtype: 'f16', shape: [66_000, 8] }, ['edge']),
  gegluCase({ dtype: 'f16', shape: [1, 64, 10240] }, ['real', 'perf']),
];
