import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import {
  groupNorm,
  type GroupNormConstants,
  groupNormReference,
} from '../../src/kernels/group-norm-small.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

function groupNormCase(
  x: TensorType,
  constants: GroupNormConstants,
  { mean = 0.25, std = 1 } = {},
  tags: KernelCase['tags'] = ['edge'],
): KernelCase {
  const [batch = 0, , , channels = 0] = x.shape;
  const vector: TensorType = { dtype: 'f32', shape: [channels] };
  const { groups, activation = 'none', dtype = x.dtype } = constants;
  return {
    name: `groupNorm ${format(x)} ${groups} groups ${activation} → ${dtype} mean ${mean} std ${std}`,
    tags,
    inputs: { x, gamma: vector, beta: vector },
    data: (name, { shape }, seed) =>
      normal(sizeOf(shape), seed, name === 'x' ? { mean, std } : { mean: 0.5 }),
    kernel: (target) => groupNorm({ x, gamma: vector, beta: vector }, constants, target),
    reference: (data) =>
      groupNormReference(data as Record<'x' | 'gamma' | 'beta', Float32Array>, {
        ...constants,
        batch,
      }),
  };
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

// Two combinations of storage and activation: SwiftShader takes 20 s to compile each.
export const cases: readonly KernelCase[] = [
  groupNormCase(f32(1, 1, 1, 4), { groups: 1, eps: 1e-6 }),
  groupNormCase(f32(2, 9, 7, 32), { groups: 32, eps: 1e-6 }), // one channel each
  groupNormCase(f16(1, 5, 3, 64), { groups: 32, eps: 1e-5, activation: 'silu' }), // two
  groupNormCase(f32(2, 6, 5, 40), { groups: 8, eps: 1e-5 }), // five
  groupNormCase(f16(1, 24, 24, 320), { groups: 32, eps: 1e-6, activation: 'silu' }), // ten
  groupNormCase(f32(1, 3, 3, 1024), { groups: 1, eps: 1e-6 }),
  groupNormCase(f32(1, 16, 16, 64), { groups: 8, eps: 1e-6 }, { mean: 1000 }),
  groupNormCase(f32(1, 8, 8, 32), { groups: 8, eps: 1e-5 }, { mean: 0.3, std: 0 }),
  groupNormCase(f16(1, 16, 16, 1280), { groups: 32, eps: 1e-5, activation: 'silu' }, {}, [
    'real',
    'perf',
  ]),
];
