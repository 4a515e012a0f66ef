import { type Blocks, format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import { batchedLinear, batchedLinearReference } from '../../src/kernels/batched-linear.ts';
import { normal } from '../harness/random.ts';
import { plainValues, storedType } from './in-blocks.ts';
import { type KernelCase, sumNmse } from './cases.ts';

export function batchedLinearCase(x: TensorType, plain: TensorType, blocks?: Blocks): KernelCase {
  const inner = x.shape[2]!;
  const weight = storedType(plain, blocks);
  return {
    name: `batchedLinear ${format(x)} · ${format(weight)}`,
    tags: ['edge'],
    inputs: { x, weight },
    data: (name, { shape }, seed) =>
      normal(sizeOf(shape), seed, name === 'weight' ? { std: 1 / Math.sqrt(inner) } : {}),
    kernel: (target) => batchedLinear({ x, weight }, {}, target),
    reference: (data) =>
      batchedLinearReference(
        {
          x: data['x'] as Float32Array,
          weight: plainValues(data['weight'], plain.shape[2]!, blocks),
        },
        x.shape,
      ),
    ...(x.dtype === 'f32' && { maxNmse: sumNmse(inner) }),
  };
}

export const cases: readonly KernelCase[] = [
  batchedLinearCase({ dtype: 'f32', shape: [3, 7, 20] }, { dtype: 'f32', shape: [3, 20, 36] }),
  batchedLinearCase({ dtype: 'f16', shape: [16, 70, 36] }, { dtype: 'f16', shape: [16, 36, 68] }),
];
