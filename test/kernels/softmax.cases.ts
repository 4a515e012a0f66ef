import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import { softmax, type SoftmaxConstants, softmaxReference } from '../../src/kernels/softmax.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

function softmaxCase(
  x: TensorType,
  constants: SoftmaxConstants = {},
  { std = 1, mean = 0 } = {},
  tags: KernelCase['tags'] = ['edge'],
): KernelCase {
  return {
    name: `softmax ${format(x)} ${JSON.stringify({ ...constants, std, mean })}`,
    tags,
    inputs: { x },
    data: (_, { shape }, seed) => normal(sizeOf(shape), seed, { std, mean }),
    kernel: (target) => softmax({ x }, constants, target),
    reference: ({ x: data }) =>
      softmaxReference(
        { x: data as Float32Array },
        { ...constants, channels: x.shape.at(-1) ?? 0 },
      ),
  };
}

export const cases: readonly KernelCase[] = [
  softmaxCase({ dtype: 'f32', shape: [1, 4] }),
  softmaxCase({ dtype: 'f16', shape: [3, 7, 76] }, { scale: 0.125 }),
  softmaxCase({ dtype: 'f32', shape: [2, 1028] }, { scale: 0.1768 }, { std: 20 }),
  // logits near ±1e4: the differences that matter are exact
  softmaxCase({ dtype: 'f32', shape: [5, 80] }, {}, { mean: 1e4, std: 100 }),
  // a quarter of the scores of the VAE's 512-wide head at 64x64 latent pixels
  softmaxCase({ dtype: 'f16', shape: [1024, 4096] }, { scale: 512 ** -0.5 }, { std: 22 }, [
    'real',
    'perf',
  ]),
];
