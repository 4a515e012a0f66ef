/**
 * Bicubic resizing with half-pixel centres, in two flavours that differ in kernel and border.
 *
 *   K(d) = (a+2)·d³ - (a+3)·d² + 1          for d = |distance| ≤ 1        (Keys)
 *        = a·(d³ - 5d² + 8d - 4)            for 1 < d < 2, else 0
 *
 *   bicubic            a = -0.75, m = 1; taps outside the image are those at its border
 *   bicubicAntialias   a = -0.5, m = max(in/out, 1); taps outside the image dropped
 *
 *   taps j with ⌊c - 2m + ½⌋ ≤ j < ⌊c + 2m + ½⌋, c = (dst + ½)·in/out; weights K((j + ½ - c)/m), normalised
 *
 *   x   [N, H, W, C]     f16 or f32, C a multiple of 4
 *   y   [N, H', W', C]   the least common multiple of in and out ≤ 2^29 along each axis
 *
 * Positions are integer fractions over 2·out, with in and out divided by what they have in common: in f32,
 * c itself would lose the digits its fractional part needs. One invocation per four channels of an output
 * pixel, both axes at once; weights are computed where they are used. 2·t·(t + 1) operations for each
 * value, t = ⌈4m⌉ taps along an axis: 40 where the image grows.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  type DType,
  format,
  i32,
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

export interface BicubicInputs {
  readonly x: TensorType;
}

export interface BicubicConstants {
  readonly height: number;
  readonly width: number;
  /** Storage of y. @default that of x */
  readonly dtype?: DType;
}

/** Numerators of positions, at most twice the least common multiple plus a few sides, must fit i32. */
const MAX_MULTIPLE = 2 ** 29;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Of K. */
const A = { bicubic: -0.75, bicubicAntialias: -0.5 } as const;

function resize(
  name: keyof typeof A,
  { x }: BicubicInputs,
  { height, width, dtype = x.dtype }: BicubicConstants,
  target: Target,
): Kernel {
  const source = imageOf('x', x);
  const [sharedY, sharedX] = [gcd(source.height, height), gcd(source.width, width)];
  const multiples = [(source.height / sharedY) * height, (source.width / sharedX) * width];
  if (Math.max(...multiples) > MAX_MULTIPLE) {
    throw new ShapeError(`x is ${format(x)}, too large to resize to ${height}x${width}`);
  }

  const y: TensorType = { dtype, shape: [source.n, height, width, source.channels] };
  const image = imageOf('y', y);
  const params = {
    height: u32(height),
    width: u32(width),
    groups: u32(image.groups),
    source_height: i32(source.height),
    source_width: i32(source.width),
    in_y: i32(source.height / sharedY),
    out_y: i32(height / sharedY),
    in_x: i32(source.width / sharedX),
    out_x: i32(width / sharedX),
  };
  const taps = (from: number, to: number) =>
    name === 'bicubic' ? 4 : Math.ceil(4 * Math.max(from / to, 1));
  const macs = taps(source.height, height) * (taps(source.width, width) + 1);
  return {
    name,
    variant: `${format(x)} to ${dtype} ${height}x${width}`,
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: y },
    workgroups: imageGrid(image),
    cost: {
      flops: 2 * macs * source.n * height * width * source.channels,
      bytes: byteLength(x) + byteLength(y),
    },
    wgsl: wgsl`
${enableF16(target, x.dtype, dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, dtype, target)}

const A: f32 = ${A[name]};

fn keys(d: f32) -> f32 {
  let near = ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
  let far = A * (((d - 5.0) * d + 8.0) * d - 4.0);
  return select(select(0.0, far, d < 2.0), near, d <= 1.0);
}

struct Window {
  first: i32,
  end: i32,
  centre: i32,  // c over 2·output
  reach: f32,  // m over 2·output
}

fn window(dst: u32, length: i32, input: i32, output: i32) -> Window {
  let centre = (2 * i32(dst) + 1) * input;
#if ${name === 'bicubic'}
  let reach = 2 * output;
  let first = (centre + output) / reach - 2;  // perhaps left of the image
  let end = first + 4;
#else
  let reach = 2 * max(input, output);
  let first = max(0, (centre - 2 * reach + output) / (2 * output));
  let end = min(length, (centre + 2 * reach + output) / (2 * output));
#endif
  return Window(first, end, centre, f32(reach));
}

fn weight(i: i32, at: Window, output: i32) -> f32 {
  return keys(abs(f32((2 * i + 1) * output - at.centre)) / at.reach);
}

fn element(at: Position) {
  let y = window(at.y, params.source_height, params.in_y, params.out_y);
  let x = window(at.x, params.source_width, params.in_x, params.out_x);
  var sum = vec4f(0.0);
  var total = 0.0;
  for (var i = y.first; i < y.end; i++) {
    let start = (i32(at.n) * params.source_height + clamp(i, 0, params.source_height - 1)) * params.source_width;
    var row = vec4f(0.0);
    var row_total = 0.0;
    for (var j = x.first; j < x.end; j++) {
      let w = weight(j, x, params.out_x);
      row += w * load_x(u32(start + clamp(j, 0, params.source_width - 1)) * params.groups + at.group);
      row_total += w;
    }
    let w = weight(i, y, params.out_y);
    sum += w * row;
    total += w * row_total;
  }
  store_y(at.i, sum / total);
}
${IMAGE_MAIN}
`,
  };
}

export const bicubic = (
  inputs: BicubicInputs,
  constants: BicubicConstants,
  target: Target,
): Kernel => resize('bicubic', inputs, constants, target);

export const bicubicAntialias = (
  inputs: BicubicInputs,
  constants: BicubicConstants,
  target: Target,
): Kernel => resize('bicubicAntialias', inputs, constants, target);

type Taps = readonly { readonly index: number; readonly weight: number }[];

function keys(a: number, distance: number): number {
  const d = Math.abs(distance);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * (d ** 3 - 5 * d ** 2 + 8 * d - 4) : 0;
}

function clampedTaps(dst: number, from: number, to: number): Taps {
  const s = ((dst + 0.5) * from) / to - 0.5;
  return [-1, 0, 1, 2].map((k) => {
    const j = Math.floor(s) + k;
    return { index: Math.min(from - 1, Math.max(0, j)), weight: keys(-0.75, j - s) };
  });
}

function antialiasedTaps(dst: number, from: number, to: number): Taps {
  const stretch = Math.max(from / to, 1);
  const centre = ((dst + 0.5) * from) / to;
  const first = Math.max(0, Math.trunc(centre - 2 * stretch + 0.5));
  const end = Math.min(from, Math.trunc(centre + 2 * stretch + 0.5));
  const taps = Array.from({ length: end - first }, (_, k) => ({
    index: first + k,
    weight: keys(-0.5, (first + k + 0.5 - centre) / stretch),
  }));
  const total = taps.reduce((sum, { weight }) => sum + weight, 0);
  return taps.map(({ index, weight }) => ({ index, weight: weight / total }));
}

function resizeReference(
  tapsOf: typeof clampedTaps,
  x: Float32Array,
  [n = 0, h = 0, w = 0, c = 0]: Shape,
  { height, width }: BicubicConstants,
): Float32Array {
  const rows = Array.from({ length: height }, (_, i) => tapsOf(i, h, height));
  const columns = Array.from({ length: width }, (_, j) => tapsOf(j, w, width));
  const y = new Float32Array(n * height * width * c);
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (const row of rows) {
      for (const column of columns) {
        for (let channel = 0; channel < c; channel++, at++) {
          let sum = 0;
          for (const { index: i, weight: wi } of row) {
            for (const { index: j, weight: wj } of column) {
              sum += wi * wj * (x[((image * h + i) * w + j) * c + channel] ?? 0);
            }
          }
          y[at] = sum;
        }
      }
    }
  }
  return y;
}

export const bicubicReference = (
  { x }: { x: Float32Array },
  shape: Shape,
  constants: BicubicConstants,
): Float32Array => resizeReference(clampedTaps, x, shape, constants);

export const bicubicAntialiasReference = (
  { x }: { x: Float32Array },
  shape: Shape,
  constants: BicubicConstants,
): Float32Array => resizeReference(antialiasedTaps, x, shape, constants);
