import { format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import {
  blendTile,
  type BlendTileConstants,
  blendTileReference,
  cropTiles,
  type CropTilesConstants,
  cropTilesReference,
} from '../../src/kernels/tiles.ts';
import { f16BitsToF32, f32ToF16Bits } from '../../src/weights/half.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

const roundF16 = (v: number): number => f16BitsToF32(f32ToF16Bits(v));

type Origins = readonly (readonly [y: number, x: number])[];

const cropTilesCase = (
  image: TensorType,
  tiles: Origins,
  constants: CropTilesConstants,
  tags: KernelCase['tags'],
  data: (length: number) => Float32Array = (length) => normal(length, 1),
): KernelCase => {
  const origins = { dtype: 'u32', shape: [tiles.length, 2] } as const;
  return {
    name: `cropTiles ${format(image)} ${JSON.stringify(tiles)} ${JSON.stringify(constants)}`,
    tags,
    inputs: { image, origins },
    data: (name) => (name === 'image' ? data(sizeOf(image.shape)) : Uint32Array.from(tiles.flat())),
    kernel: (target) => cropTiles({ image, origins }, constants, target),
    reference: (data) =>
      cropTilesReference(
        { image: data['image'] as Float32Array, origins: data['origins'] as Uint32Array },
        image.shape,
        constants,
        roundF16,
      ),
    // copies; rounding to f16 must be right to the bit even where the kernel does it by hand
    maxNmse: (constants.dtype ?? image.dtype) === 'f32' ? 0 : 1e-6,
  };
};

/** Every u8/255, every f16 rounding boundary of a few binades and its neighbours, subnormals. */
function halves(length: number): Float32Array {
  const ties = [1, 2 ** -3, 2 ** -14, 1024].flatMap((binade) =>
    Array.from({ length: 64 }, (_, i) => binade * (1 + (2 * i + 1) / 2048)),
  );
  const values = [
    ...Array.from({ length: 256 }, (_, i) => i / 255),
    ...ties.flatMap((v) => [v, -v, v * (1 - 2 ** -23), v * (1 + 2 ** -23)]),
    ...Array.from({ length: 64 }, (_, i) => (i * 0.5 + 0.5) * 2 ** -24),
    65_519.996, // the largest f32 that does not overflow
    2 ** -14 * (1 - 2 ** -24),
  ];
  return Float32Array.from({ length }, (_, i) => values[i % values.length]!);
}

const blendTileCase = (
  patches: TensorType,
  tiles: Origins,
  constants: BlendTileConstants,
  tags: KernelCase['tags'],
): KernelCase => {
  const [n, h, w] = patches.shape;
  const origins = { dtype: 'u32', shape: [n!, 2] } as const;
  const weightsY = { dtype: 'f32', shape: [n!, h!] } as const;
  const weightsX = { dtype: 'f32', shape: [n!, w!] } as const;
  const initial = normal(constants.height * constants.width * 4, 9);
  return {
    name: `blendTile ${format(patches)} ${JSON.stringify(tiles)} ${JSON.stringify(constants)}`,
    tags,
    inputs: { patches, origins, weightsY, weightsX },
    data: (name, { shape }, seed) =>
      name === 'origins' ? Uint32Array.from(tiles.flat()) : normal(sizeOf(shape), seed),
    initial,
    kernel: (target) => blendTile({ patches, origins, weightsY, weightsX }, constants, target),
    reference: (data) =>
      blendTileReference(
        {
          patches: data['patches'] as Float32Array,
          origins: data['origins'] as Uint32Array,
          weightsY: data['weightsY'] as Float32Array,
          weightsX: data['weightsX'] as Float32Array,
        },
        initial,
        patches.shape,
        constants,
      ),
  };
};

export const cases: readonly KernelCase[] = [
  cropTilesCase({ dtype: 'f32', shape: [1, 1, 1, 4] }, [[0, 0]], { tile: 1 }, ['edge']),
  cropTilesCase(
    { dtype: 'f32', shape: [1, 9, 13, 4] },
    [
      [0, 0],
      [2, 6],
      [5, 3], // hangs over the bottom
    ],
    { tile: 7, dtype: 'f16' },
    ['edge'],
  ),
  cropTilesCase({ dtype: 'f16', shape: [1, 5, 5, 4] }, [[1, 2]], { tile: 3, dtype: 'f32' }, [
    'edge',
  ]),
  cropTilesCase(
    { dtype: 'f32', shape: [1, 24, 24, 4] },
    [[0, 0]],
    { tile: 24, quantize: true },
    ['edge'],
    halves,
  ),
  cropTilesCase(
    { dtype: 'f32', shape: [1, 144, 160, 4] },
    [
      [0, 0],
      [16, 32],
    ],
    { tile: 128, quantize: true },
    ['real'],
  ),
  blendTileCase(
    { dtype: 'f32', shape: [1, 1, 1, 4] },
    [[0, 0]],
    { index: 0, scale: 4, height: 1, width: 1 },
    ['edge'],
  ),
  blendTileCase(
    { dtype: 'f16', shape: [2, 8, 12, 4] },
    [
      [0, 0],
      [1, 2],
    ],
    { index: 1, scale: 4, height: 16, width: 24 },
    ['edge'],
  ),
  // the tile hangs over both borders of the result
  blendTileCase(
    { dtype: 'f32', shape: [3, 16, 16, 4] },
    [
      [0, 0],
      [2, 3],
      [5, 5],
    ],
    { index: 1, scale: 4, height: 19, width: 21 },
    ['edge'],
  ),
  blendTileCase(
    { dtype: 'f16', shape: [1, 512, 512, 4] },
    [[16, 32]],
    { index: 0, scale: 4, height: 576, width: 640 },
    ['real', 'perf'],
  ),
];
