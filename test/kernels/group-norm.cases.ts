import { concatReference } from '../../src/kernels/concat.ts';
import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import {
  groupNorm,
  type GroupNormConstants,
  groupNormReference,
} from '../../src/kernels/group-norm.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

function groupNormCase(
  x: TensorType,
  constants: GroupNormConstants,
  { mean = 0.25, std = 1, others = 0 } = {},
  tags: KernelCase['tags'] = ['edge'],
): KernelCase {
  const [batch = 0, height = 0, width = 0, own = 0] = x.shape;
  const channels = own + others;
  const x2: TensorType | undefined =
    others > 0 ? { dtype: x.dtype, shape: [batch, height, width, others] } : undefined;
  const vector: TensorType = { dtype: 'f32', shape: [channels] };
  const { groups, activation = 'none', dtype = x.dtype } = constants;
  return {
    name: `groupNorm ${format(x)}${x2 ? ` + ${others}` : ''} ${groups} groups ${activation} → ${dtype} mean ${mean} std ${std}`,
    tags,
    inputs: { x, ...(x2 && { x2 }), gamma: vector, beta: vector },
    data: (name, { shape }, seed) =>
      normal(sizeOf(shape), seed, name.startsWith('x') ? { mean, std } : { mean: 0.5 }),
    kernel: (target) => groupNorm({ x, x2, gamma: vector, beta: vector }, constants, target),
    reference: ({ x: first, x2: second, gamma, beta }) =>
      groupNormReference(
        {
          x: x2
            ? concatReference(
                { a: first as Float32Array, b: second as Float32Array },
                { channelsA: own, channelsB: others },
              )
            : (first as Float32Array),
          gamma: gamma as Float32Array,
          beta: beta as Float32Array,
        },
        { ...constants, batch },
      ),
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
  groupNormCase(f32(2, 5, 3, 24), { groups: 8, eps: 1e-5 }, { others: 16 }), // five
  groupNormCase(f32(1, 3, 3, 1024), { groups: 1, eps: 1e-6 }),
  groupNormCase(f32(1, 16, 16, 64), { groups: 8, eps: 1e-6 }, { mean: 1000 }),
  groupNormCase(f32(1, 8, 8, 32), { groups: 8, eps: 1e-5 }, { mean: 0.3, std: 0 }),
  groupNormCase(f16(1, 16, 16, 1280), { groups: 32, eps: 1e-5, activation: 'silu' }, {}, [
    'real',
    'perf',
  ]),
];
