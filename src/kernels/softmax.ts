/**
 * Softmax over the last axis.
 *
 *   y[r, c] = exp(scale * (x[r, c] - max_r)) / Σ_c exp(scale * (x[r, c] - max_r))
 *
 *   x, y   [..., C]   f16 or f32, C a multiple of 4; scale > 0
 *
 * One team per row. The maximum is subtracted before scaling: the difference of two floats near
 * 1e4 is exact, their scaled values are not. Three reads of x, the last two from cache.
 *
 * In no plan yet, only tested and benched: attention.ts keeps no scores. It is for devices with
 * matrix units, whose products would write out the scores of heads too wide for flash attention.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
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
import { rowsOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
import { teamMain, teamOf } from './team.ts';

export interface SoftmaxInputs {
  readonly x: TensorType;
}

export interface SoftmaxConstants {
  /** @default 1 */
  readonly scale?: number;
}

export function softmax(
  { x }: SoftmaxInputs,
  { scale = 1 }: SoftmaxConstants,
  target: Target,
): Kernel {
  const { rows, channels } = rowsOf('x', x);
  if (!(scale > 0)) throw new ShapeError(`scale is ${scale}, it must be positive`);

  const team = teamOf(target);
  const params = { rows: u32(rows), vectors: u32(channels / 4), scale: f32(scale * Math.LOG2E) };
  return {
    name: 'softmax',
    variant: format(x),
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: x },
    workgroups: team.workgroups(rows),
    cost: { flops: 5 * sizeOf(x.shape), bytes: 2 * byteLength(x) },
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, x.dtype, target)}
${team.wgsl}
${teamMain(target)} {
  ${team.begin}
  let base = row * params.vectors;

  var high = vec4f(-3.4e38);
  for (var i = part; i < params.vectors; i += TEAM) { high = max(high, load_x(base + i)); }
  let highest = team_max(max(max(high.x, high.y), max(high.z, high.w)), part);

  var sum = vec4f();
  for (var i = part; i < params.vectors; i += TEAM) {
    sum += exp2((load_x(base + i) - highest) * params.scale);
  }
  let inverse = 1.0 / team_sum(dot(sum, vec4f(1)), part);

  for (var i = part; i < params.vectors; i += TEAM) {
    store_y(base + i, exp2((load_x(base + i) - highest) * params.scale) * inverse);
  }
}
`,
  };
}

export function softmaxReference(
  { x }: { x: Float32Array },
  { channels, scale = 1 }: SoftmaxConstants & { readonly channels: number },
): Float32Array {
  const y = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += channels) {
    const row = Float64Array.from(x.subarray(start, start + channels));
    const highest = row.reduce((a, b) => Math.max(a, b));
    const exps = row.map((v) => Math.exp(scale * (v - highest)));
    const sum = exps.reduce((a, b) => a + b);
    y.set(
      exps.map((e) => e / sum),
      start,
    );
  }
  return y;
}
