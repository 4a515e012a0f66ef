import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import { layerNorm, layerNormReference } from '../../src/kernels/layer-norm.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

function layerNormCase(
  x: TensorType,
  { mean = 0, std = 1, eps = 1e-5, maxNmse = 0, tags = ['edge'] as KernelCase['tags'] } = {},
): KernelCase {
  const channels = x.shape.at(-1) ?? 0;
  const vector: TensorType = { dtype: 'f32', shape: [channels] };
  return {
    name: `layerNorm ${format(x)} mean ${mean} std ${std} eps ${eps}`,
    tags,
    inputs: { x, gamma: vector, beta: vector },
    data: (name, { shape }, seed) =>
      normal(sizeOf(shape), seed, name === 'x' ? { mean, std } : { mean: 1, std: 0.5 }),
    kernel: (target) => layerNorm({ x, gamma: vector, beta: vector }, { eps }, target),
    reference: (data) =>
      layerNormReference(data as Record<'x' | 'gamma' | 'beta', Float32Array>, { eps }),
    ...(maxNmse && { maxNmse }),
  };
}

export const cases: readonly KernelCase[] = [
  layerNormCase({ dtype: 'f32', shape: [1, 4] }),
  layerNormCase({ dtype: 'f16', shape: [3, 5, 36] }),
  layerNormCase({ dtype: 'f32', shape: [7, 1284] }),
  layerNormCase({ dtype: 'f16', shape: [66_000, 4] }),
  layerNormCase({ dtype: 'f32', shape: [5, 320] }, { mean: 1000 }),
  layerNormCase({ dtype: 'f32', shape: [5, 320] }, { std: 1e-3 }), // variance of eps's size
  layerNormCase({ dtype: 'f32', shape: [5, 64] }, { mean: 7, std: 0 }), // constant rows: beta
  layerNormCase({ dtype: 'f16', shape: [1, 64, 64] }, { tags: ['real'] }),
  layerNormCase({ dtype: 'f16', shape: [1, 256, 1280] }, { tags: ['real', 'perf'] }),
];
