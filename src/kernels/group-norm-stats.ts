/**
 * The statistics of group normalization (see group-norm.ts), in two kernels.
 *
 *   partial    moments (moments.ts) of each channel over each chunk of pixels
 *   finalize   merges a group's moments (Chan et al. 1979) → mean and rstd·gamma of each channel
 *
 *   x         [N, H, W, C]           f16 or f32; C a multiple of 4
 *   partial   [N, chunks, 3, E]      f32; of partial E = C, chunks from `groupNormChunks`
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
import { expectMoments, MOMENTS } from './moments.ts';
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

export interface GroupNormFinalizeInputs {
  /** Of a tensor of gamma's channels: [N, chunks, 3, E]. */
  readonly partial: TensorType;
  readonly gamma: TensorType;
}

export interface GroupNormFinalizeConstants {
  readonly groups: number;
  readonly eps: number;
}

export function groupNormFinalize(
  { partial, gamma }: GroupNormFinalizeInputs,
  { groups, eps }: GroupNormFinalizeConstants,
  target: Target,
): Kernel {
  const channels = sizeOf(gamma.shape);
  const { batch, chunks, entries } = expectMoments('partial', partial, channels);
  expectShape('gamma', gamma, [channels]);
  if (channels % groups !== 0 || entries % groups !== 0) {
    throw new ShapeError(
      `partial is ${format(partial)}, gamma ${format(gamma)}, not divisible into ${groups} groups`,
    );
  }

  const rows = batch * groups;
  const team = teamOf(target);
  const params = {
    rows: u32(rows),
    groups: u32(groups),
    width: u32(channels / groups),
    group_entries: u32(entries / groups),
    chunks: u32(chunks),
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

${teamMain(target)} {
  ${team.begin}
  let channels = params.groups * params.width;
  let stride = params.groups * params.group_entries;
  let image = row / params.groups;
  let group = row - image * params.groups;
  let base = image * params.chunks * 3u * stride + group * params.group_entries;
  let entries = params.chunks * params.group_entries;

  // Means relative to the first chunk's: their weighted mean, then the spread around it.
  let origin = partial[base + stride];
  var sum = 0f;
  var values = 0f;
  for (var start = part; start < entries; start += BLOCK) {
    var block = 0f;
    for (var i = start; i < min(start + BLOCK, entries); i += TEAM) {
      let chunk = i / params.group_entries;
      let at = base + chunk * 3u * stride + i - chunk * params.group_entries;
      values += partial[at];
      block += partial[at] * (partial[at + stride] - origin);
    }
    sum += block;
  }
  let count = team_sum(values, part);
  let mean = team_sum(sum, part) / count;
  var m2 = 0f;
  for (var start = part; start < entries; start += BLOCK) {
    var block = 0f;
    for (var i = start; i < min(start + BLOCK, entries); i += TEAM) {
      let chunk = i / params.group_entries;
      let at = base + chunk * 3u * stride + i - chunk * params.group_entries;
      let d = partial[at + stride] - origin - mean;
      block += partial[at + 2u * stride] + partial[at] * d * d;
    }
    m2 += block;
  }
  let rstd = inverseSqrt(team_sum(m2, part) / count + params.eps);

  for (var c = part; c < params.width; c += TEAM) {
    let out = image * 2u * channels + group * params.width + c;
    y[out] = origin + mean;
    y[out + channels] = rstd * gamma[group * params.width + c];
  }
}
`,
  };
}

/** Moments over chunks of pixels of each run of channels; one chunk after another, rows as stored. */
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

export function groupNormFinalizeReference(
  { partial, gamma }: { partial: Float32Array; gamma: Float32Array },
  { groups, eps, batch, chunks }: GroupNormFinalizeConstants & { batch: number; chunks: number },
): Float32Array {
  const channels = gamma.length;
  const width = channels / groups;
  const entries = partial.length / (batch * chunks * MOMENTS);
  const y = new Float32Array(batch * 2 * channels);
  for (let row = 0; row < batch * groups; row++) {
    const n = Math.floor(row / groups);
    const group = row % groups;
    let [count, mean, m2] = [0, 0, 0];
    for (let chunk = 0; chunk < chunks; chunk++) {
      for (let e = 0; e < entries / groups; e++) {
        const at = (n * chunks + chunk) * MOMENTS * entries + (group * entries) / groups + e;
        const size = partial[at] ?? 0;
        const d = (partial[at + entries] ?? 0) - mean;
        m2 += (partial[at + 2 * entries] ?? 0) + (d * d * count * size) / (count + size);
        count += size;
        mean += (d * size) / count;
      }
    }
    for (let c = group * width; c < (group + 1) * width; c++) {
      y[n * 2 * channels + c] = mean;
      y[(n * 2 + 1) * channels + c] = (gamma[c] ?? 0) / Math.sqrt(m2 / count + eps);
    }
  }
  return y;
}
