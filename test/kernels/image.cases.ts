import { type Shape, sizeOf } from '../../src/engine/kernel.ts';
import {
  imageToTensor,
  imageToTensorReference,
  tensorToImage,
  tensorToImageReference,
} from '../../src/kernels/image.ts';
import { normal, uniform } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

const imageToTensorCase = (shape: Shape, tags: KernelCase['tags']): KernelCase => ({
  name: `imageToTensor [${shape.join(',')}]`,
  tags,
  inputs: { pixels: { dtype: 'u32', shape } },
  data: (_, { shape }, seed) => {
    const next = uniform(seed);
    return Uint32Array.from({ length: sizeOf(shape) }, () => next() * 2 ** 32);
  },
  kernel: () => imageToTensor({ pixels: { dtype: 'u32', shape } }),
  reference: ({ pixels }) => imageToTensorReference({ pixels: pixels as Uint32Array }),
});

/** Every u8, every boundary between two of them and its f32 neighbours, and values outside 0..1. */
function roundingData(length: number): Float32Array {
  const halves = Array.from({ length: 256 }, (_, i) => Math.fround((i + 0.5) / 255));
  const values = [
    ...Array.from({ length: 256 }, (_, i) => i / 255),
    ...halves.flatMap((v) => [v, v * (1 - 2 ** -24), v * (1 + 2 ** -23)]),
    ...normal(64, 1, { mean: 0.5 }),
  ];
  return Float32Array.from({ length }, (_, i) => values[i % values.length]!);
}

const tensorToImageCase = (height: number, width: number, tags: KernelCase['tags']): KernelCase => {
  const x = { dtype: 'f32', shape: [1, height, width, 4] } as const;
  return {
    name: `tensorToImage [${height},${width}]`,
    tags,
    inputs: { x },
    data: (_, { shape }) => roundingData(sizeOf(shape)),
    kernel: () => tensorToImage({ x }),
    reference: ({ x }) => tensorToImageReference({ x: x as Float32Array }),
    maxNmse: 0, // every byte
  };
};

export const cases: readonly KernelCase[] = [
  imageToTensorCase([1, 1], ['edge']),
  imageToTensorCase([7, 13], ['edge']),
  imageToTensorCase([128, 128], ['real']),
  tensorToImageCase(1, 1, ['edge']),
  tensorToImageCase(7, 13, ['edge']),
  tensorToImageCase(512, 512, ['real']),
];
