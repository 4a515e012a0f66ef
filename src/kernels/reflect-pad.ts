/**
 * Reflection padding; the edge pixel is not repeated.
 *
 *   y[n, i, j] = x[n, reflect(i - top, H), reflect(j - left, W)]
 *   reflect(k, L) = |k| for k < L, else 2·(L - 1) - k
 *
 *   x   [N, H, W, C]                               f16 or f32, C a multiple of 4
 *   y   [N, top + H + bottom, left + W + right, C] same dtype; top, bottom < H; left, right < W
 *
 * One invocation per four channels; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
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

export interface ReflectPadInputs {
  readonly x: TensorType;
}

export interface ReflectPadConstants {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export function reflectPad(
  { x }: ReflectPadInputs,
  { top, left, bottom, right }: ReflectPadConstants,
  target: Target,
): Kernel {
  const source = imageOf('x', x);
  if (Math.max(top, bottom) >= source.height || Math.max(left, right) >= source.width) {
    const padding = `top ${top}, left ${left}, bottom ${bottom}, right ${right}`;
    throw new ShapeError(`x is ${format(x)}, too small to reflect ${padding} pixels`);
  }

  const y: TensorType = {
    dtype: x.dtype,
    shape: [source.n, top + source.height + bottom, left + source.width + right, source.channels],
  };
  const image = imageOf('y', y);
  const params = {
    height: u32(image.height),
    width: u32(image.width),
    groups: u32(image.groups),
    source_height: i32(source.height),
    source_width: i32(source.width),
    top: i32(top),
    left: i32(left),
  };
  return {
    name: 'reflectPad',
    variant: `${format(x)} to ${image.height}x${image.width}`,
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: y },
    workgroups: imageGrid(image),
    cost: { flops: 0, bytes: byteLength(x) + byteLength(y) },
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, y.dtype, target)}

fn reflect_index(k: i32, length: i32) -> u32 {
  let inside = abs(k);
  return u32(select(inside, 2 * (length - 1) - inside, inside >= length));
}

fn element(at: Position) {
  let row = reflect_index(i32(at.y) - params.top, params.source_height);
  let column = reflect_index(i32(at.x) - params.left, params.source_width);
  let pixel = (at.n * u32(params.source_height) + row) * u32(params.source_width) + column;
  store_y(at.i, load_x(pixel * params.groups + at.group));
}
${IMAGE_MAIN}
`,
  };
}

const reflect = (k: number, length: number): number =>
  k < 0 ? -k : k < length ? k : 2 * (length - 1) - k;

export function reflectPadReference(
  { x }: { x: Float32Array },
  [n = 0, h = 0, w = 0, c = 0]: Shape,
  { top, left, bottom, right }: ReflectPadConstants,
): Float32Array {
  const y = new Float32Array(n * (top + h + bottom) * (left + w + right) * c);
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (let i = -top; i < h + bottom; i++) {
      for (let j = -left; j < w + right; j++, at += c) {
        const from = ((image * h + reflect(i, h)) * w + reflect(j, w)) * c;
        y.set(x.subarray(from, from + c), at);
      }
    }
  }
  return y;
}
