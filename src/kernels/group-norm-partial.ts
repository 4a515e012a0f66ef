/**
 * Moments (moments.ts) of each channel over each chunk of pixels, for a group norm's statistics, where no
 * product has them already: the first of its three kernels (group-norm-finalize.ts, group-norm-apply.ts).
 *
 *   x         [N, H, W, C]           f16 or f32; C a multiple of 4
 *   partial   [N, chunks, 3, C]      f32; chunks from `groupNormChunks` (moments.ts)
 *
 * Variance is never E[x²] - E[x]². A chunk's values are taken relative to its first pixel and
 * merged one by one (Welford), so that a large mean costs no precision and constant input gives
 * exactly zero. An invocation takes four channels of one chunk; memory-bound, one read of x.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  format,
  type Kernel,
  paramsWgsl,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, imageOf } from './elementwise.ts';
import { groupNormChunks, MOMENTS } from './moments.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface GroupNormPartialInputs {
  readonly x: TensorType;
}

export interface GroupNormPartialConstants {
  /** Pixels per chunk, for a window that begins with a chunk of its image. @default groupNormChunks */
  readonly chunkPixels?: number;
}

export function groupNormPartial(
  { x }: GroupNormPartialInputs,
  { chunkPixels: given }: GroupNormPartialConstants,
  target: Target,
): Kernel {
  const { n: batch, height, width, channels, groups: columns } = imageOf('x', x);
  const pixels = height * width;
  const chunkPixels = given ?? groupNormChunks(pixels, channels).chunkPixels;
  const chunks = Math.ceil(pixels / chunkPixels);
  const partial: TensorType = { dtype: 'f32', shape: [batch, chunks, MOMENTS, channels] };
  const vectors = batch * chunks * columns;
  const params = {
    vectors: u32(vectors),
    columns: u32(columns),
    chunks: u32(chunks),
    chunk_pixels: u32(chunkPixels),
    pixels: u32(pixels),
  };
  return {
    name: 'groupNormPartial',
    variant: format(x),
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: partial },
    workgroups: flatGrid(vectors),
    cost: { flops: 6 * sizeOf(x.shape), bytes: byteLength(x) + byteLength(partial) },
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, 'f32', target)}

fn element(i: u32) {
  let column = i % params.columns;
  let chunk = i / params.columns % params.chunks;
  let image = i / params.columns / params.chunks;
  let first = chunk * params.chunk_pixels;
  let n = min(params.chunk_pixels, params.pixels - first);
  var at = (image * params.pixels + first) * params.columns + column;

  let origin = load_x(at);
  var mean = vec4f();
  var m2 = vec4f();
  for (var k = 1u; k < n; k++) {
    at += params.columns;
    let value = load_x(at) - origin;
    let d = value - mean;
    mean += d / f32(k + 1u);
    m2 += d * (value - mean);
  }
  let out = (image * params.chunks + chunk) * 3u * params.columns + column;
  store_y(out, vec4f(f32(n)));
  store_y(out + params.columns, origin + mean);
  store_y(out + 2u * params.columns, m2);
}
${FLAT_MAIN}
`,
  };
}

/** Moments over chunks of pixels of each channel; one chunk after another, rows as stored. */
export function groupNormPartialReference(
  { x }: { x: Float32Array },
  {
    batch,
    pixels,
    channels,
    chunkPixels = groupNormChunks(pixels, channels).chunkPixels,
  }: { batch: number; pixels: number; channels: number; chunkPixels?: number },
): Float32Array {
  const chunks = Math.ceil(pixels / chunkPixels);
  const y = new Float32Array(batch * chunks * MOMENTS * channels);
  for (let n = 0; n < batch; n++) {
    for (let chunk = 0; chunk < chunks; chunk++) {
      const first = chunk * chunkPixels;
      const count = Math.min(chunkPixels, pixels - first);
      for (let c = 0; c < channels; c++) {
        const at = (k: number) => x[(n * pixels + first + k) * channels + c] ?? 0;
        let mean = 0;
        for (let k = 0; k < count; k++) mean += at(k) / count;
        let m2 = 0;
        for (let k = 0; k < count; k++) m2 += (at(k) - mean) ** 2;
        const out = (n * chunks + chunk) * MOMENTS * channels + c;
        y[out] = count;
        y[out + channels] = mean;
        y[out + 2 * channels] = m2;
      }
    }
  }
  return y;
}
