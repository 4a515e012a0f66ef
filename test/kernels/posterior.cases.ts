import { type DType, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import { posterior, posteriorReference } from '../../src/kernels/posterior.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

const pad = (channels: number): number => Math.ceil(channels / 4) * 4;

const posteriorCase = (
  [n, height, width]: readonly [number, number, number],
  channels: number,
  dtype: DType,
  tags: KernelCase['tags'],
  { meanStd = 1, logvar = 0 } = {},
): KernelCase => {
  const constants = { channels, scale: 0.18215 };
  const gaussian: TensorType = { dtype, shape: [n, height, width, pad(2 * channels)] };
  const noise: TensorType = { dtype: 'f32', shape: [n, height, width, pad(channels)] };
  return {
    name: `posterior [${n},${height},${width}] ${channels} channels ${dtype} logvar ${logvar}`,
    tags,
    inputs: { gaussian, noise },
    data: (name, { shape }, seed) => {
      const values = normal(sizeOf(shape), seed);
      if (name === 'noise') return values;
      return values.map((v, i) => (i % shape[3]! < channels ? meanStd * v : logvar + v));
    },
    kernel: (target) => posterior({ gaussian, noise }, constants, target),
    reference: ({ gaussian, noise }) =>
      posteriorReference(
        { gaussian: gaussian as Float32Array, noise: noise as Float32Array },
        constants,
      ),
  };
};

export const cases: readonly KernelCase[] = [
  posteriorCase([1, 1, 1], 4, 'f32', ['edge']),
  posteriorCase([2, 5, 3], 4, 'f16', ['edge']),
  posteriorCase([2, 3, 5], 3, 'f32', ['edge']),
  posteriorCase([1, 3, 5], 6, 'f16', ['edge']),
  // all log-variances beyond either clamp; no mean that would hide deviations of 3e-7
  posteriorCase([1, 8, 8], 4, 'f32', ['edge'], { meanStd: 0, logvar: -60 }),
  posteriorCase([1, 8, 8], 4, 'f32', ['edge'], { meanStd: 0, logvar: 40 }),
  posteriorCase([1, 64, 64], 4, 'f32', ['real']),
];
