/**
 * Nearest-neighbour resizing to any size.
 *
 *   y[n, i, j] = x[n, floor(i·H / H'), floor(j·W / W')]
 *
 *   x   [N, H, W, C]     f16 or f32, C a multiple of 4
 *   y   [N, H', W', C]   same dtype
 *
 * The UNet needs odd sizes: its latents are upsampled to the size of the next skip connection.
 * One invocation per four channels; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  format,
  type Kernel,
  paramsWgsl,
  type Shape,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { IMAGE_MAIN, imageGrid, imageOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface UpsampleNearestInputs {
  readonly x: TensorType;
}

export interface UpsampleNearestConstants {
  readonly height: number;
  readonly width: number;
}

export function upsampleNearest(
  { x }: UpsampleNearestInputs,
  { height, width }: UpsampleNearestConstants,
  target: Target,
): Kernel {
  const source = imageOf('x', x);
  const y: TensorType = { dtype: x.dtype, shape: [source.n, height, width, source.channels] };
  const image = imageOf('y', y);
  const params = {
    height: u32(height),
    width: u32(width),
    groups: u32(image.groups),
    source_height: u32(source.height),
    source_width: u32(source.width),
  };
  return {
    name: 'upsampleNearest',
    variant: `${format(x)} to ${height}x${width}`,
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

fn element(at: Position) {
  let row = at.n * params.source_height + at.y * params.source_height / params.height;
  let column = at.x * params.source_width / params.width;
  store_y(at.i, load_x((row * params.source_width + column) * params.groups + at.group));
}
${IMAGE_MAIN}
`,
  };
}

export function upsampleNearestReference(
  { x }: { x: Float32Array },
  [n = 0, h = 0, w = 0, c = 0]: Shape,
  { height, width }: UpsampleNearestConstants,
): Float32Array {
  const y = new Float32Array(n * height * width * c);
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++, at += c) {
        const row = image * h + Math.floor((i * h) / height);
        const from = (row * w + Math.floor((j * w) / width)) * c;
        y.set(x.subarray(from, from + c), at);
      }
    }
  }
  return y;
}
