/**
 * Concatenation of two images along the channels (the skip connections of the UNet).
 *
 *   y[n, h, w] = [a[n, h, w], b[n, h, w]]
 *
 *   a   [N, H, W, Ca]   f16 or f32
 *   b   [N, H, W, Cb]   f16 or f32
 *   y   [N, H, W, Ca + Cb], dtype of a; Ca and Cb multiples of 4
 *
 * One invocation per four channels of y; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { IMAGE_MAIN, imageGrid, imageOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface ConcatInputs {
  readonly a: TensorType;
  readonly b: TensorType;
}

export function concat({ a, b }: ConcatInputs, _: object, target: Target): Kernel {
  const { n, height, width, channels: channelsA, groups: groupsA } = imageOf('a', a);
  const { channels: channelsB } = imageOf('b', b);
  expectShape('b', b, [n, height, width, channelsB]);

  const y: TensorType = { dtype: a.dtype, shape: [n, height, width, channelsA + channelsB] };
  const image = imageOf('y', y);
  const params = {
    height: u32(height),
    width: u32(width),
    groups: u32(image.groups),
    groupsA: u32(groupsA),
  };
  return {
    name: 'concat',
    variant: `${format(a)} + ${channelsB}`,
    bindings: { a: 1, b: 2 },
    params,
    output: { binding: 3, type: y },
    workgroups: imageGrid(image),
    cost: { flops: 0, bytes: byteLength(a) + byteLength(b) + byteLength(y) },
    wgsl: wgsl`
${enableF16(target, a.dtype, b.dtype)}
${paramsWgsl(params)}
${readWgsl('a', 1, a.dtype, target)}
${readWgsl('b', 2, b.dtype, target)}
${writeWgsl('y', 3, y.dtype, target)}

fn element(at: Position) {
  let pixel = (at.n * params.height + at.y) * params.width + at.x;
  if (at.group < params.groupsA) {
    store_y(at.i, load_a(pixel * params.groupsA + at.group));
  } else {
    let groups_b = params.groups - params.groupsA;
    store_y(at.i, load_b(pixel * groups_b + at.group - params.groupsA));
  }
}
${IMAGE_MAIN}
`,
  };
}

export function concatReference(
  { a, b }: { a: Float32Array; b: Float32Array },
  { channelsA, channelsB }: { channelsA: number; channelsB: number },
): Float32Array {
  const channels = channelsA + channelsB;
  const y = new Float32Array(a.length + b.length);
  for (let pixel = 0; pixel < a.length / channelsA; pixel++) {
    y.set(a.subarray(pixel * channelsA, (pixel + 1) * channelsA), pixel * channels);
    y.set(b.subarray(pixel * channelsB, (pixel + 1) * channelsB), pixel * channels + channelsA);
  }
  return y;
}
