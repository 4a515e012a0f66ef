/**
 * Group normalization over pixels and the channels of a group, with an optional activation:
 * the last of three kernels, the first two of which (group-norm-partial.ts, group-norm-finalize.ts)
 * make `stats`.
 *
 *   y = act((x - mean) * scale + beta),   scale = rstd·gamma
 *
 *   x, y    [N, H, W, C]   f16 or f32; C a multiple of 4
 *   stats   [N, 2, C]      f32: mean, then scale, of each channel
 *   beta    [C]            f32
 *
 * Memory-bound. An invocation takes four channels of several pixels.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  type DType,
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, imageOf } from './elementwise.ts';
import { activate, type Activation, activationWgsl } from './epilogue.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

/** Pixels per invocation, which share the loads of statistics and beta. */
const PIXELS = 8;

export interface GroupNormApplyInputs {
  readonly x: TensorType;
  readonly stats: TensorType;
  readonly beta: TensorType;
}

export interface GroupNormApplyConstants {
  /** @default 'none' */
  readonly activation?: Activation;
  /** Storage of y. @default that of x */
  readonly dtype?: DType;
}

export function groupNormApply(
  { x, stats, beta }: GroupNormApplyInputs,
  { activation = 'none', dtype = x.dtype }: GroupNormApplyConstants,
  target: Target,
): Kernel {
  const { n: batch, height, width, channels, groups: columns } = imageOf('x', x);
  const pixels = height * width;
  expectShape('stats', stats, [batch, 2, channels]);
  expectShape('beta', beta, [channels]);
  const y: TensorType = { dtype, shape: x.shape };
  const chunks = Math.ceil(pixels / PIXELS);
  const vectors = batch * chunks * columns;
  const params = {
    vectors: u32(vectors),
    columns: u32(columns),
    pixels: u32(pixels),
    chunks: u32(chunks),
  };
  return {
    name: 'groupNormApply',
    variant: `${format(x)} ${activation} → ${dtype}`,
    bindings: { x: 1, stats: 2, beta: 3 },
    params,
    output: { binding: 4, type: y },
    workgroups: flatGrid(vectors),
    cost: {
      flops: (activation === 'none' ? 3 : 8) * sizeOf(x.shape),
      bytes: byteLength(x) + byteLength(stats) + byteLength(beta) + byteLength(y),
    },
    wgsl: wgsl`
${enableF16(target, x.dtype, dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${readWgsl('stats', 2, 'f32', target)}
${readWgsl('beta', 3, 'f32', target)}
${writeWgsl('y', 4, dtype, target)}
${activationWgsl(activation)}

fn element(i: u32) {
  let column = i % params.columns;
  let chunk = i / params.columns % params.chunks;
  let image = i / (params.columns * params.chunks);
  let mean = load_stats(image * 2u * params.columns + column);
  let scale = load_stats((image * 2u + 1u) * params.columns + column);
  let shift = load_beta(column);
  // Neighbouring invocations take neighbouring pixels.
  for (var pixel = chunk; pixel < params.pixels; pixel += params.chunks) {
    let at = (image * params.pixels + pixel) * params.columns + column;
    store_y(at, activate((load_x(at) - mean) * scale + shift));
  }
}
${FLAT_MAIN}
`,
  };
}

export function groupNormApplyReference(
  { x, stats, beta }: { x: Float32Array; stats: Float32Array; beta: Float32Array },
  { activation = 'none' }: GroupNormApplyConstants,
): Float32Array {
  const channels = beta.length;
  const image = (x.length * 2 * channels) / stats.length; // elements of one image
  return x.map((v, i) => {
    const at = Math.floor(i / image) * 2 * channels + (i % channels);
    const scale = stats[at + channels] ?? 0;
    return activate(activation, (v - (stats[at] ?? 0)) * scale + (beta[i % channels] ?? 0));
  });
}
