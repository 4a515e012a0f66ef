import { format, type TensorType } from '../../src/engine/kernel.ts';
import { winogradWeight, winogradWeightReference } from '../../src/kernels/winograd-weight.ts';
import type { KernelCase } from './cases.ts';

function winogradWeightCase(weight: TensorType, dtype: 'f16' | 'f32'): KernelCase {
  return {
    name: `winogradWeight ${format(weight)} → ${dtype}`,
    tags: ['edge'],
    inputs: { weight },
    kernel: (target) => winogradWeight({ weight }, { dtype }, target),
    reference: (data) => winogradWeightReference({ weight: data['weight'] as Float32Array }),
  };
}

export const cases: readonly KernelCase[] = [
  winogradWeightCase({ dtype: 'f32', shape: [3, 3, 4, 4] }, 'f32'),
  winogradWeightCase({ dtype: 'f16', shape: [3, 3, 36, 20] }, 'f16'),
];
