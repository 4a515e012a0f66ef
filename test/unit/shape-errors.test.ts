/** Broken contracts are refused when a kernel is made, with the tensor's name in the message. */
import { expect, test } from 'vitest';
import { type Kernel, type Shape, ShapeError, type TensorType } from '../../src/engine/kernel.ts';
import { activation } from '../../src/kernels/activation.ts';
import { attention } from '../../src/kernels/attention.ts';
import { ycbcrFix } from '../../src/kernels/ycbcr-fix.ts';
import { concat } from '../../src/kernels/concat.ts';
import { normalNoise } from '../../src/kernels/normal-noise.ts';
import { posterior } from '../../src/kernels/posterior.ts';
import { reflectPad } from '../../src/kernels/reflect-pad.ts';
import { bicubic } from '../../src/kernels/resize.ts';
import { blendTile, cropTiles } from '../../src/kernels/tiles.ts';
import { timestepEmbedding } from '../../src/kernels/timestep-embedding.ts';
import { upsampleNearest } from '../../src/kernels/upsample-nearest.ts';

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;
const f32 = (...shape: Shape): TensorType => ({ dtype: 'f32', shape });
const u32 = (...shape: Shape): TensorType => ({ dtype: 'u32', shape });

const blend = { index: 0, scale: 4, height: 64, width: 64 };
const tile = {
  patches: f32(2, 8, 8, 4),
  origins: u32(2, 2),
  weightsY: f32(2, 8),
  weightsX: f32(2, 8),
};
const noise = { stage: 0, height: 8, width: 8, channels: 4 };
const pads = { top: 0, left: 0, bottom: 0, right: 0 };

test.each<readonly [string, () => Kernel, message: string]>([
  [
    'elements left over',
    () => activation({ x: f32(3) }, { kind: 'silu' }, target),
    'x is f32 [3], its element count must be a multiple of 4',
  ],
  [
    'three channels',
    () => upsampleNearest({ x: f32(1, 2, 2, 3) }, { height: 4, width: 4 }, target),
    'x is f32 [1,2,2,3], expected [N,H,W,C] with C a multiple of 4',
  ],
  [
    'images of two sizes',
    () => concat({ a: f32(1, 4, 4, 8), b: f32(1, 4, 5, 8) }, {}, target),
    'b is f32 [1,4,5,8], expected [1,4,4,8]',
  ],
  [
    'more rows than a grid has',
    () => upsampleNearest({ x: f32(1, 1, 1, 4) }, { height: 70_000, width: 1 }, target),
    'y is [1,70000,1,4], at most 65535',
  ],
  [
    'a padding as wide as the image',
    () => reflectPad({ x: f32(1, 3, 4, 4) }, { ...pads, bottom: 3 }, target),
    'x is f32 [1,3,4,4], too small to reflect',
  ],
  [
    'positions beyond i32',
    () => bicubic({ x: f32(1, 1, 30_001, 4) }, { height: 1, width: 60_000 }, target),
    'x is f32 [1,1,30001,4], too large to resize to 1x60000',
  ],
  [
    'spare channels',
    () => ycbcrFix({ content: f32(1, 4, 4, 8), style: f32(1, 4, 4, 8) }, {}, target),
    'content is f32 [1,4,4,8]',
  ],
  [
    'origins as floats',
    () => cropTiles({ image: f32(1, 8, 8, 4), origins: f32(1, 2) }, { tile: 4 }, target),
    'origins is f32 [1,2], expected u32',
  ],
  ['a tile too many', () => blendTile(tile, { ...blend, index: 2 }, target), 'has no tile 2'],
  [
    'weights of one tile',
    () => blendTile({ ...tile, weightsY: f32(1, 8) }, blend, target),
    'weightsY is f32 [1,8], expected [2,8]',
  ],
  [
    'a gaussian without variances',
    () =>
      posterior(
        { gaussian: f32(1, 4, 4, 4), noise: f32(1, 4, 4, 4) },
        { channels: 4, scale: 1 },
        target,
      ),
    'gaussian is f32 [1,4,4,4], expected [1,4,4,8]',
  ],
  [
    'a short seed',
    () => normalNoise({ origins: u32(1, 2), seed: u32(2) }, noise),
    'seed is u32 [2], expected [4]',
  ],
  [
    'a causal order of other keys',
    () =>
      attention(
        { q: f32(1, 3, 4), k: f32(1, 4, 4), v: f32(1, 4, 4) },
        { heads: 1, causal: true },
        target,
      ),
    'as many keys as queries: q is f32 [1,3,4], k is f32 [1,4,4]',
  ],
  [
    'packed values that end past their rows',
    () =>
      attention(
        { q: f32(1, 3, 12), k: f32(1, 3, 12), v: f32(1, 3, 12) },
        { heads: 1, channels: 4, offsets: { q: 0, k: 4, v: 12 } },
        target,
      ),
    'v is f32 [1,3,12], it has no 4 channels from 12',
  ],
  [
    'an odd embedding',
    () => timestepEmbedding({}, { timestep: 1, dim: 6, flipSinToCos: true, freqShift: 0 }, target),
    'dim is 6, expected a multiple of 4',
  ],
])('%s', (_, make, message) => {
  expect(make).toThrow(ShapeError);
  expect(make).toThrow(message);
});
