/**
 * The low-pass of the wavelet colour fix: one separable pass.
 *
 *   y[i, j] = Σ k[u]·k[v]·x[i + (u-1)·dilation, j + (v-1)·dilation], k = [1 2 1]/4, indices clamped to the border
 *
 *   x, y [N, H, W, C], f16 or f32, C a multiple of 4
 *
 * Five passes with dilations 1, 2, 4, 8, 16 make the low band; the fix is content - low(content) +
 * low(style), by `affine`. One invocation per four channels; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  format,
  i32,
  type Kernel,
  paramsWgsl,
  type Shape,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { IMAGE_MAIN, imageGrid, imageOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface WaveletLowInputs {
  readonly x: TensorType;
}

export interface WaveletLowConstants {
  readonly dilation: number;
}

export function waveletLow(
  { x }: WaveletLowInputs,
  { dilation }: WaveletLowConstants,
  target: Target,
): Kernel {
  const image = imageOf('x', x);
  const params = {
    height: u32(image.height),
    width: u32(image.width),
    groups: u32(image.groups),
    dilation: i32(dilation),
  };
  return {
    name: 'waveletLow',
    variant: `${format(x)} dilation ${dilation}`,
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: x },
    workgroups: imageGrid(image),
    cost: {
      flops: 24 * image.n * image.height * image.width * image.channels,
      bytes: 2 * byteLength(x),
    },
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, x.dtype, target)}

/** An index and its neighbours, clamped to the border. */
fn taps(i: u32, length: u32) -> vec3u {
  let reached = i32(i) + params.dilation * vec3i(-1, 0, 1);
  return vec3u(clamp(reached, vec3i(0), vec3i(i32(length) - 1)));
}

fn row(start: u32, columns: vec3u) -> vec4f {
  return 0.25 * (load_x(start + columns.x) + load_x(start + columns.z))
    + 0.5 * load_x(start + columns.y);
}

fn element(at: Position) {
  let stride = params.width * params.groups;
  let rows = (at.n * params.height + taps(at.y, params.height)) * stride;
  let columns = taps(at.x, params.width) * params.groups + at.group;
  store_y(at.i, 0.25 * (row(rows.x, columns) + row(rows.z, columns)) + 0.5 * row(rows.y, columns));
}
${IMAGE_MAIN}
`,
  };
}

const clamped = (i: number, length: number): number => Math.min(length - 1, Math.max(0, i));

export function waveletLowReference(
  { x }: { x: Float32Array },
  [, h = 0, w = 0, c = 0]: Shape,
  { dilation }: WaveletLowConstants,
): Float32Array {
  const weights = [0.25, 0.5, 0.25] as const;
  return x.map((_, at) => {
    const channel = at % c;
    const j = Math.floor(at / c) % w;
    const i = Math.floor(at / c / w) % h;
    const image = Math.floor(at / c / w / h);
    let sum = 0;
    for (const [u, wu] of weights.entries()) {
      for (const [v, wv] of weights.entries()) {
        const row = image * h + clamped(i + (u - 1) * dilation, h);
        const column = clamped(j + (v - 1) * dilation, w);
        sum += wu * wv * (x[(row * w + column) * c + channel] ?? 0);
      }
    }
    return sum;
  });
}
