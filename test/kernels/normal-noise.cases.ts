import { type Kernel, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import {
  normalNoise,
  type NormalNoiseConstants,
  normalNoiseReference,
} from '../../src/kernels/normal-noise.ts';
import { type Counter, philox, PHILOX_WGSL } from '../../src/kernels/philox.ts';
import { uniform } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

const seed: TensorType = { dtype: 'u32', shape: [4] };

const normalNoiseCase = (
  tiles: readonly (readonly [y: number, x: number])[],
  constants: NormalNoiseConstants,
  tags: KernelCase['tags'],
): KernelCase => {
  const origins: TensorType = { dtype: 'u32', shape: [tiles.length, 2] };
  return {
    name: `normalNoise ${JSON.stringify(tiles)} ${JSON.stringify(constants)}`,
    tags,
    inputs: { origins, seed },
    data: (name) => Uint32Array.from(name === 'seed' ? [12_345, 0xdead_beef, 0, 0] : tiles.flat()),
    kernel: () => normalNoise({ origins, seed }, constants),
    reference: ({ origins, seed }) =>
      normalNoiseReference(
        { origins: origins as Uint32Array, seed: seed as Uint32Array },
        constants,
      ),
  };
};

/** The integer half alone, bit for bit: random counters under one random key each. */
const philoxCase: KernelCase = {
  name: 'philox 1000 counters',
  tags: ['edge'],
  inputs: {
    counters: { dtype: 'u32', shape: [1000, 4] },
    keys: { dtype: 'u32', shape: [1000, 2] },
  },
  data: (_, { shape }, seed) => {
    const next = uniform(seed);
    return Uint32Array.from({ length: sizeOf(shape) }, () => next() * 2 ** 32);
  },
  kernel: (): Kernel => ({
    name: 'philox',
    variant: 'test',
    bindings: { counters: 1, keys: 2 },
    params: {},
    output: { binding: 3, type: { dtype: 'u32', shape: [1000, 4] } },
    workgroups: [1000, 1, 1],
    cost: { flops: 0, bytes: 0 },
    wgsl: `@group(0) @binding(0) var<uniform> params: vec4u;
@group(0) @binding(1) var<storage, read> counters: array<vec4u>;
@group(0) @binding(2) var<storage, read> keys: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4u>;
${PHILOX_WGSL}
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3u) {
  let i = workgroup.x + params.x;
  y[i] = philox(counters[i], keys[i]);
}`,
  }),
  reference: ({ counters, keys }) =>
    Uint32Array.from(
      Array.from({ length: 1000 }, (_, i) =>
        philox([...counters!.subarray(4 * i, 4 * i + 4)] as unknown as Counter, [
          keys![2 * i]!,
          keys![2 * i + 1]!,
        ]),
      ).flat(),
    ),
  maxNmse: 0,
};

export const cases: readonly KernelCase[] = [
  philoxCase,
  normalNoiseCase([[0, 0]], { stage: 0, height: 1, width: 1, channels: 4 }, ['edge']),
  normalNoiseCase(
    [
      [0, 3],
      [5, 0],
    ],
    { stage: 2, height: 7, width: 5, channels: 4 },
    ['edge'],
  ),
  normalNoiseCase([[1, 2]], { stage: 1, height: 3, width: 5, channels: 3 }, ['edge']),
  normalNoiseCase([[1, 2]], { stage: 1, height: 3, width: 5, channels: 6 }, ['edge']),
  normalNoiseCase([[4000, 4_294_967_290]], { stage: 1, height: 3, width: 6, channels: 8 }, [
    'edge',
  ]),
  normalNoiseCase([[32, 64]], { stage: 1, height: 64, width: 64, channels: 4 }, ['real']),
];
