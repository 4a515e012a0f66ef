import { format, type TensorType } from '../../src/engine/kernel.ts';
import {
  activation,
  type ActivationConstants,
  activationReference,
} from '../../src/kernels/activation.ts';
import type { KernelCase } from './cases.ts';

const activationCase = (
  x: TensorType,
  { kind }: ActivationConstants,
  tags: KernelCase['tags'],
): KernelCase => ({
  name: `activation ${format(x)} ${kind}`,
  tags,
  inputs: { x },
  // a wide ramp: both tails and the bend around zero
  data: (_, { shape }) => {
    const length = shape.reduce((n, d) => n * d, 1);
    return Float32Array.from({ length }, (_v, i) => 24 * (i / length) - 12);
  },
  kernel: (target) => activation({ x }, { kind }, target),
  reference: ({ x }) => activationReference({ x: x as Float32Array }, { kind }),
});

export const cases: readonly KernelCase[] = (['silu', 'gelu', 'quickGelu'] as const).flatMap(
  (kind) => [
    activationCase({ dtype: 'f32', shape: [4] }, { kind }, ['edge']),
    activationCase({ dtype: 'f16', shape: [1, 4] }, { kind }, ['edge']),
    activationCase({ dtype: 'f32', shape: [3, 5, 7, 4] }, { kind }, ['edge']),
    activationCase({ dtype: 'f16', shape: [3, 5, 7, 4] }, { kind }, ['edge']),
    activationCase({ dtype: 'f32', shape: [1, 1280] }, { kind }, ['real']),
  ],
);
