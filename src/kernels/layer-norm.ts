/**
 * Layer normalization over the last axis.
 *
 *   y[r, c] = (x[r, c] - mean[r]) * rsqrt(var[r] + eps) * gamma[c] + beta[c]
 *
 *   x, y         [..., C]   f16 or f32, C a multiple of 4
 *   gamma, beta  [C]        f32
 *
 * One team per row (team.ts), two reads of x, the second from cache; memory-bound. Each invocation runs
 * Welford's update in four streams (the components of its vectors), and the streams are merged at the end.
 * They count from the row's first value, so that rows with |mean| ≫ spread lose nothing: the mean that f32
 * holds is a small one.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  expectShape,
  f32,
  format,
  type Kernel,
  paramsWgsl,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { rowsOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
import { teamMain, teamOf } from './team.ts';

export interface LayerNormInputs {
  readonly x: TensorType;
  readonly gamma: TensorType;
  readonly beta: TensorType;
}

export interface LayerNormConstants {
  readonly eps: number;
}

export function layerNorm(
  { x, gamma, beta }: LayerNormInputs,
  { eps }: LayerNormConstants,
  target: Target,
): Kernel {
  const { rows, channels } = rowsOf('x', x);
  expectShape('gamma', gamma, [channels]);
  expectShape('beta', beta, [channels]);

  const team = teamOf(target);
  const params = {
    rows: u32(rows),
    vectors: u32(channels / 4),
    channels: f32(channels),
    eps: f32(eps),
  };
  return {
    name: 'layerNorm',
    variant: format(x),
    bindings: { x: 1, gamma: 2, beta: 3 },
    params,
    output: { binding: 4, type: x },
    workgroups: team.workgroups(rows),
    cost: {
      flops: 8 * sizeOf(x.shape),
      bytes: 2 * byteLength(x) + byteLength(gamma) + byteLength(beta),
    },
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${readWgsl('gamma', 2, 'f32', target)}
${readWgsl('beta', 3, 'f32', target)}
${writeWgsl('y', 4, x.dtype, target)}
${team.wgsl}
${teamMain(target)} {
  ${team.begin}
  let base = row * params.vectors;

  let first = load_x(base).x;
  var count = 0f;
  var mean = vec4f();
  var m2 = vec4f();
  for (var i = part; i < params.vectors; i += TEAM) {
    let v = load_x(base + i) - first;
    count += 1f;
    let d = v - mean;
    mean += d * (1f / count);
    m2 += d * (v - mean);
  }
  let row_mean = team_sum(count * dot(mean, vec4f(1)), part) / params.channels;
  let apart = mean - row_mean;
  let variance = team_sum(dot(m2 + count * apart * apart, vec4f(1)), part) / params.channels;
  let scale = inverseSqrt(max(variance, 0.0) + params.eps);

  for (var i = part; i < params.vectors; i += TEAM) {
    let normalized = (load_x(base + i) - first - row_mean) * scale;
    store_y(base + i, normalized * load_gamma(i) + load_beta(i));
  }
}
`,
  };
}

export function layerNormReference(
  { x, gamma, beta }: { x: Float32Array; gamma: Float32Array; beta: Float32Array },
  { eps }: LayerNormConstants,
): Float32Array {
  const channels = gamma.length;
  const y = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += channels) {
    const row = x.subarray(start, start + channels);
    const mean = row.reduce((sum, v) => sum + v, 0) / channels;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / channels;
    const scale = 1 / Math.sqrt(variance + eps);
    row.forEach((v, c) => {
      y[start + c] = (v - mean) * scale * (gamma[c] ?? 0) + (beta[c] ?? 0);
    });
  }
  return y;
}
