import type { TensorType } from '../../src/engine/kernel.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { winogradOutput, winogradOutputReference } from '../../src/kernels/winograd-output.ts';
import type { KernelCase } from './cases.ts';

interface Options {
  readonly shift?: number;
  readonly residual?: 'f16' | 'f32';
  readonly activation?: Activation;
}

function winogradOutputCase(
  shape: readonly [n: number, h: number, w: number, c: number],
  dtype: 'f16' | 'f32',
  { shift, residual, activation = 'none' }: Options = {},
): KernelCase {
  const [n, h, w, c] = shape;
  const inputs = {
    m: { dtype, shape: [16, n * Math.ceil(h / 2) * Math.ceil(w / 2), c] },
    ...((shift ?? 0) > 0 && { bias: { dtype: 'f32', shape: [c] } }),
    ...(shift && { shift: { dtype: 'f32', shape: [shift, c] } }),
    ...(residual && { residual: { dtype: residual, shape } }),
  } as const satisfies Record<string, TensorType>;
  return {
    name: `winogradOutput ${dtype} [${shape.join(',')}] ${activation}${shift ? ` shift ${shift}` : ''}${residual ? ` + ${residual}` : ''}`,
    tags: ['edge'],
    inputs,
    kernel: (target) => winogradOutput(inputs, { shape, activation, dtype }, target),
    reference: (data) =>
      winogradOutputReference(
        {
          m: data['m'] as Float32Array,
          bias: data['bias'] as Float32Array | undefined,
          shift: data['shift'] as Float32Array | undefined,
          residual: data['residual'] as Float32Array | undefined,
        },
        { shape, activation },
      ),
  };
}

export const cases: readonly KernelCase[] = [
  winogradOutputCase([1, 1, 1, 4], 'f32'),
  winogradOutputCase([2, 5, 8, 20], 'f32', { shift: 2, residual: 'f32', activation: 'silu' }),
  winogradOutputCase([1, 13, 17, 36], 'f16', { shift: 1, residual: 'f16' }),
];
