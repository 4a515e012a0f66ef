import { format, type TensorType } from '../../src/engine/kernel.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { groupNormApply, groupNormApplyReference } from '../../src/kernels/group-norm-apply.ts';
import type { KernelCase } from './cases.ts';

type Dims = readonly [batch: number, height: number, width: number, channels: number];

function applyCase(
  dtype: 'f32' | 'f16',
  shape: Dims,
  activation: Activation,
  output: 'f32' | 'f16' = dtype,
  tags: KernelCase['tags'] = ['edge'],
): KernelCase {
  const x: TensorType = { dtype, shape };
  const [batch, , , channels] = shape;
  const stats: TensorType = { dtype: 'f32', shape: [batch, 2, channels] };
  const beta: TensorType = { dtype: 'f32', shape: [channels] };
  return {
    name: `groupNormApply ${format(x)} ${activation} → ${output}`,
    tags,
    inputs: { x, stats, beta },
    kernel: (target) => groupNormApply({ x, stats, beta }, { activation, dtype: output }, target),
    reference: (data) =>
      groupNormApplyReference(data as Record<'x' | 'stats' | 'beta', Float32Array>, { activation }),
  };
}

export const cases: readonly KernelCase[] = [
  applyCase('f32', [1, 1, 1, 4], 'none'),
  applyCase('f16', [3, 5, 7, 20], 'silu'),
  applyCase('f32', [2, 9, 7, 64], 'silu', 'f16'),
  applyCase('f16', [1, 64, 64, 320], 'silu', 'f16', ['real', 'perf']),
];
