/**
 * The statistics of group normalization (see group-norm.ts), in two kernels.
 *
 *   partial    mean and M2 = Σ(x - mean)² of each channel over each chunk of pixels
 *   finalize   merges a group's partials (Chan et al. 1979) → mean and rstd·gamma of each channel
 *
 *   x         [N, H, W, C]           f16 or f32; C a multiple of 4
 *   partial   [N, chunks, 2, C]      f32; chunks from `groupNormChunks`
 *   gamma     [C]                    f32; C / groups need not be a multiple of 4
 *   stats     [N, 2, C]              f32
 *
 * Variance is never E[x²] - E[x]². A chunk's values are taken relative to its first pixel and
 * merged one by one (Welford), so that a large mean costs no precision and constant input gives
 * exactly zero.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  expectShape,
  f32,
  format,
  type Kernel,
  paramsWgsl,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, imageOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
import { teamMain, teamOf } from './team.ts';

/** Invocations that keep a large GPU busy; each takes four channels of one chunk. */
const INVOCATIONS = 32_768;
const MIN_CHUNK_PIXELS = 32;

/** How partial cuts an image's pixels into chunks of equal size (the last may be shorter). */
export function groupNormChunks(
  pixels: number,
  channels: number,
): { readonly chunks: number; readonly chunkPixels: number } {
  const wanted = Math.ceil(INVOCATIONS / (channels / 4));
  const chunkPixels = Math.max(MIN_CHUNK_PIXELS, Math.ceil(pixels / wanted));
  return { chunks: Math.ceil(pixels / chunkPixels), chunkPixels };
}

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
  const partial: TensorType = { dtype: 'f32', shape: [batch, chunks, 2, channels] };
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
  let out = (image * params.chunks + chunk) * 2u * params.columns + column;
  store_y(out, origin + mean);
  store_y(out + params.columns, m2);
}
${FLAT_MAIN}
`,
  };
}

export interface GroupNormFinalizeInputs {
  readonly partial: TensorType;
  readonly gamma: TensorType;
}

export interface GroupNormFinalizeConstants {
  readonly groups: number;
  readonly eps: number;
  /** H·W of the image that partial was made of. */
  readonly pixels: number;
}

export function groupNormFinalize(
  { partial, gamma }: GroupNormFinalizeInputs,
  { groups, eps, pixels }: GroupNormFinalizeConstants,
  target: Target,
): Kernel {
  const [batch = 0] = partial.shape;
  const channels = sizeOf(gamma.shape);
  const { chunks, chunkPixels } = groupNormChunks(pixels, channels);
  expectShape('partial', partial, [batch, chunks, 2, channels]);
  expectShape('gamma', gamma, [channels]);
  if (channels % groups !== 0) {
    throw new ShapeError(`gamma is ${format(gamma)}, not divisible into ${groups} groups`);
  }

  const rows = batch * groups;
  const width = channels / groups;
  const team = teamOf(target);
  const params = {
    rows: u32(rows),
    groups: u32(groups),
    width: u32(width),
    chunks: u32(chunks),
    chunk_pixels: f32(chunkPixels),
    last_pixels: f32(pixels - (chunks - 1) * chunkPixels),
    count: f32(pixels * width),
    eps: f32(eps),
  };
  const stats: TensorType = { dtype: 'f32', shape: [batch, 2, channels] };
  return {
    name: 'groupNormFinalize',
    variant: `${format(partial)} ${groups} groups`,
    bindings: { partial: 1, gamma: 2 },
    params,
    output: { binding: 3, type: stats },
    workgroups: team.workgroups(rows),
    cost: {
      flops: 4 * sizeOf(partial.shape),
      bytes: byteLength(partial) + byteLength(gamma) + byteLength(stats),
    },
    wgsl: wgsl`
${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
${team.wgsl}
// Sums of sums of 64: one chain over all of a 512² image's partials fails the finalize case.
const BLOCK: u32 = 64u * TEAM;

fn pixels_of(chunk: u32) -> f32 {
  return select(params.chunk_pixels, params.last_pixels, chunk + 1u == params.chunks);
}
${teamMain(target)} {
  ${team.begin}
  let channels = params.groups * params.width;
  let image = row / params.groups;
  let first = row % params.groups * params.width;
  let base = image * params.chunks * 2u * channels + first;
  let entries = params.chunks * params.width;

  // Means relative to the first chunk's: their weighted mean, then the spread around it.
  let origin = partial[base];
  var sum = 0f;
  for (var start = part; start < entries; start += BLOCK) {
    var block = 0f;
    for (var i = start; i < min(start + BLOCK, entries); i += TEAM) {
      let chunk = i / params.width;
      let at = base + chunk * 2u * channels + i % params.width;
      block += pixels_of(chunk) * (partial[at] - origin);
    }
    sum += block;
  }
  let mean = team_sum(sum, part) / params.count;
  var m2 = 0f;
  for (var start = part; start < entries; start += BLOCK) {
    var block = 0f;
    for (var i = start; i < min(start + BLOCK, entries); i += TEAM) {
      let chunk = i / params.width;
      let at = base + chunk * 2u * channels + i % params.width;
      let d = partial[at] - origin - mean;
      block += partial[at + channels] + pixels_of(chunk) * d * d;
    }
    m2 += block;
  }
  let rstd = inverseSqrt(team_sum(m2, part) / params.count + params.eps);

  for (var c = part; c < params.width; c += TEAM) {
    let out = image * 2u * channels + first + c;
    y[out] = origin + mean;
    y[out + channels] = rstd * gamma[first + c];
  }
}
`,
  };
}

export function groupNormPartialReference(
  { x }: { x: Float32Array },
  { batch, pixels, channels }: { batch: number; pixels: number; channels: number },
): Float32Array {
  const { chunks, chunkPixels } = groupNormChunks(pixels, channels);
  const y = new Float32Array(batch * chunks * 2 * channels);
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
        const out = (n * chunks + chunk) * 2 * channels + c;
        y[out] = mean;
        y[out + channels] = m2;
      }
    }
  }
  return y;
}

export function groupNormFinalizeReference(
  { partial, gamma }: { partial: Float32Array; gamma: Float32Array },
  { groups, eps, pixels }: GroupNormFinalizeConstants,
): Float32Array {
  const channels = gamma.length;
  const width = channels / groups;
  const { chunks, chunkPixels } = groupNormChunks(pixels, channels);
  const batch = partial.length / (chunks * 2 * channels);
  const y = new Float32Array(batch * 2 * channels);
  for (let row = 0; row < batch * groups; row++) {
    const n = Math.floor(row / groups);
    const first = (row % groups) * width;
    let [count, mean, m2] = [0, 0, 0];
    for (let chunk = 0; chunk < chunks; chunk++) {
      const size = Math.min(chunkPixels, pixels - chunk * chunkPixels);
      for (let c = first; c < first + width; c++) {
        const at = (n * chunks + chunk) * 2 * channels + c;
        const d = (partial[at] ?? 0) - mean;
        m2 += (partial[at + channels] ?? 0) + (d * d * count * size) / (count + size);
        count += size;
        mean += (d * size) / count;
      }
    }
    for (let c = first; c < first + width; c++) {
      y[n * 2 * channels + c] = mean;
      y[(n * 2 + 1) * channels + c] = (gamma[c] ?? 0) / Math.sqrt(m2 / count + eps);
    }
  }
  return y;
}
