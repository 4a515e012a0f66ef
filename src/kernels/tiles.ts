/**
 * Cutting an image into tiles, and blending the upscaled tiles into the result.
 *
 *   cropTiles   y[b, i, j] = image[0, origin[b].y + i, origin[b].x + j], on request rounded to f16
 *               as the official code rounds its input; outside the image the border repeats
 *   blendTile   y[0, s·origin.y + i, s·origin.x + j] += wy[i]·wx[j]·patches[b, i, j], s the scale, origin
 *               and weights those of tile b = index; pixels that fall outside y are skipped
 *
 *   image      f32 or f16 [1, H, W, 4]
 *   origins    u32 [B, 2]        (y, x) in low-resolution pixels
 *   patches    [B, h, w, 4]      f16 or f32;  weightsY f32 [B, h];  weightsX f32 [B, w]
 *   y          [B, P, P, 4] for cropTiles; f32 [1, H, W, 4] for blendTile, accumulated
 *
 * Tiles overlap, so blendTile is one dispatch per tile: their order is the order of the sums.
 * One invocation per pixel; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  type DType,
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  type Shape,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { IMAGE_MAIN, imageGrid, imageOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface CropTilesInputs {
  readonly image: TensorType;
  readonly origins: TensorType;
}

export interface CropTilesConstants {
  /** P, the tile's side. */
  readonly tile: number;
  /** Storage of y. @default that of image */
  readonly dtype?: DType;
  /** Round values to the nearest f16, whatever the storage. @default false */
  readonly quantize?: boolean;
}

/**
 * Rounds to f16, halves to even. Integer arithmetic for normal f16 numbers, because WGSL lets its
 * own conversions round either way; below 2^-14 the f16 numbers are the multiples of 2^-24.
 * For values below 65,520, which f16 can hold.
 */
const QUANTIZE_WGSL = `fn quantize(v: vec4f) -> vec4f {
  let bits = bitcast<vec4u>(v);
  let even = (bits >> vec4u(13u)) & vec4u(1u);
  let normal = bitcast<vec4f>((bits + vec4u(0xfffu) + even) & vec4u(0xffffe000u));
  let subnormal = round(v * 16777216.0) / 16777216.0;
  return select(normal, subnormal, abs(v) < vec4f(6.103515625e-5));
}`;

function expectOrigins(origins: TensorType, tiles: number): void {
  expectShape('origins', origins, [tiles, 2]);
  if (origins.dtype !== 'u32') throw new ShapeError(`origins is ${format(origins)}, expected u32`);
}

export function cropTiles(
  { image, origins }: CropTilesInputs,
  { tile, dtype = image.dtype, quantize = false }: CropTilesConstants,
  target: Target,
): Kernel {
  const source = imageOf('image', image);
  expectShape('image', image, [1, source.height, source.width, 4]);
  const [n = 0] = origins.shape;
  expectOrigins(origins, n);

  const y: TensorType = { dtype, shape: [n, tile, tile, 4] };
  const params = {
    height: u32(tile),
    width: u32(tile),
    groups: u32(1),
    source_height: u32(source.height),
    source_width: u32(source.width),
  };
  return {
    name: 'cropTiles',
    variant: `${format(image)} to ${format(y)}${quantize ? ' quantized' : ''}`,
    bindings: { image: 1, origins: 2 },
    params,
    output: { binding: 3, type: y },
    workgroups: imageGrid(imageOf('y', y)),
    cost: { flops: 0, bytes: 2 * byteLength(y) },
    wgsl: wgsl`
${enableF16(target, image.dtype, dtype)}
${paramsWgsl(params)}
${readWgsl('image', 1, image.dtype, target)}
@group(0) @binding(2) var<storage, read> origins: array<vec2u>;
${writeWgsl('y', 3, dtype, target)}
#if ${quantize}
${QUANTIZE_WGSL}
#else
fn quantize(v: vec4f) -> vec4f { return v; }
#endif

fn element(at: Position) {
  let row = min(origins[at.n].x + at.y, params.source_height - 1u);
  let column = min(origins[at.n].y + at.x, params.source_width - 1u);
  store_y(at.i, quantize(load_image(row * params.source_width + column)));
}
${IMAGE_MAIN}
`,
  };
}

export function cropTilesReference(
  { image, origins }: { image: Float32Array; origins: Uint32Array },
  [, h = 0, w = 0]: Shape,
  { tile, quantize = false }: CropTilesConstants,
  roundF16: (v: number) => number,
): Float32Array {
  const y = new Float32Array((origins.length / 2) * tile * tile * 4);
  let at = 0;
  for (let b = 0; b < origins.length; b += 2) {
    for (let i = 0; i < tile; i++) {
      for (let j = 0; j < tile; j++) {
        const row = Math.min((origins[b] ?? 0) + i, h - 1);
        const column = Math.min((origins[b + 1] ?? 0) + j, w - 1);
        for (let channel = 0; channel < 4; channel++, at++) {
          const v = image[(row * w + column) * 4 + channel] ?? 0;
          y[at] = quantize ? roundF16(v) : v;
        }
      }
    }
  }
  return y;
}

export interface BlendTileInputs {
  readonly patches: TensorType;
  readonly origins: TensorType;
  readonly weightsY: TensorType;
  readonly weightsX: TensorType;
}

export interface BlendTileConstants {
  /** Which tile of the batch. */
  readonly index: number;
  /** High-resolution pixels per unit of origins. */
  readonly scale: number;
  /** Size of y. */
  readonly height: number;
  readonly width: number;
}

export function blendTile(
  { patches, origins, weightsY, weightsX }: BlendTileInputs,
  { index, scale, height, width }: BlendTileConstants,
  target: Target,
): Kernel {
  const tile = imageOf('patches', patches);
  expectShape('patches', patches, [tile.n, tile.height, tile.width, 4]);
  expectOrigins(origins, tile.n);
  expectShape('weightsY', weightsY, [tile.n, tile.height]);
  expectShape('weightsX', weightsX, [tile.n, tile.width]);
  if (index >= tile.n)
    throw new ShapeError(`patches is ${format(patches)}, it has no tile ${index}`);

  const y: TensorType = { dtype: 'f32', shape: [1, height, width, 4] };
  const params = {
    height: u32(tile.height),
    width: u32(tile.width),
    groups: u32(1),
    image_height: u32(height),
    image_width: u32(width),
    index: u32(index),
    scale: u32(scale),
  };
  const pixels = tile.height * tile.width;
  return {
    name: 'blendTile',
    variant: `${format(patches)} into ${height}x${width}`,
    bindings: { patches: 1, origins: 2, weightsY: 3, weightsX: 4 },
    params,
    output: { binding: 5, type: y },
    workgroups: imageGrid({ ...tile, n: 1 }),
    cost: { flops: 9 * pixels, bytes: byteLength(patches) / tile.n + 2 * 16 * pixels },
    wgsl: wgsl`
${enableF16(target, patches.dtype)}
${paramsWgsl(params)}
${readWgsl('patches', 1, patches.dtype, target)}
@group(0) @binding(2) var<storage, read> origins: array<vec2u>;
@group(0) @binding(3) var<storage, read> weightsY: array<f32>;
@group(0) @binding(4) var<storage, read> weightsX: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4f>;

fn element(at: Position) {
  let to = params.scale * origins[params.index] + vec2u(at.y, at.x);
  if (to.x >= params.image_height || to.y >= params.image_width) { return; }
  let weight = weightsY[params.index * params.height + at.y]
    * weightsX[params.index * params.width + at.x];
  let pixel = params.index * params.height * params.width + at.i;
  y[to.x * params.image_width + to.y] += weight * load_patches(pixel);
}
${IMAGE_MAIN}
`,
  };
}

/** Adds tile `index` to `y` and returns the sum. */
export function blendTileReference(
  {
    patches,
    origins,
    weightsY,
    weightsX,
  }: {
    patches: Float32Array;
    origins: Uint32Array;
    weightsY: Float32Array;
    weightsX: Float32Array;
  },
  initial: Float32Array,
  [, h = 0, w = 0]: Shape,
  { index, scale, height, width }: BlendTileConstants,
): Float32Array {
  const y = initial.slice();
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) {
      const row = scale * (origins[2 * index] ?? 0) + i;
      const column = scale * (origins[2 * index + 1] ?? 0) + j;
      if (row >= height || column >= width) continue;
      const weight = (weightsY[index * h + i] ?? 0) * (weightsX[index * w + j] ?? 0);
      for (let channel = 0; channel < 4; channel++) {
        const at = (row * width + column) * 4 + channel;
        y[at] = (y[at] ?? 0) + weight * (patches[((index * h + i) * w + j) * 4 + channel] ?? 0);
      }
    }
  }
  return y;
}
