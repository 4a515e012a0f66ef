/**
 * A window of an image.
 *
 *   y[n, i, j] = x[n, top + i, left + j]
 *
 *   x   [N, H, W, C]             f16 or f32, C a multiple of 4
 *   y   [N, height, width, C]    same dtype; top + height ≤ H, left + width ≤ W
 *
 * One invocation per four channels; memory-bound. `cropTiles` (tiles.ts) takes many windows of one
 * image at origins known only at run time; here the window is part of the plan.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  format,
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

export interface CropInputs {
  readonly x: TensorType;
}

export interface CropConstants {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

export function crop(
  { x }: CropInputs,
  { top, left, height, width }: CropConstants,
  target: Target,
): Kernel {
  const source = imageOf('x', x);
  const window = `${height}x${width} at (${top},${left})`;
  if (Math.min(top, left) < 0 || top + height > source.height || left + width > source.width) {
    throw new ShapeError(`x is ${format(x)}, too small for a window of ${window}`);
  }

  const y: TensorType = { dtype: x.dtype, shape: [source.n, height, width, source.channels] };
  const image = imageOf('y', y);
  const params = {
    height: u32(height),
    width: u32(width),
    groups: u32(image.groups),
    source_height: u32(source.height),
    source_width: u32(source.width),
    top: u32(top),
    left: u32(left),
  };
  return {
    name: 'crop',
    variant: `${format(x)} to ${window}`,
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: y },
    workgroups: imageGrid(image),
    cost: { flops: 0, bytes: 2 * byteLength(y) }, // nothing outside the window is read
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, y.dtype, target)}

fn element(at: Position) {
  let row = at.n * params.source_height + params.top + at.y;
  let pixel = row * params.source_width + params.left + at.x;
  store_y(at.i, load_x(pixel * params.groups + at.group));
}
${IMAGE_MAIN}
`,
  };
}

export function cropReference(
  { x }: { x: Float32Array },
  [n = 0, h = 0, w = 0, c = 0]: Shape,
  { top, left, height, width }: CropConstants,
): Float32Array {
  const y = new Float32Array(n * height * width * c);
  for (let image = 0, at = 0; image < n; image++) {
    for (let i = top; i < top + height; i++, at += width * c) {
      const from = ((image * h + i) * w + left) * c;
      y.set(x.subarray(from, from + width * c), at);
    }
  }
  return y;
}
