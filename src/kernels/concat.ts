/**
 * Concatenation of two tensors along the last axis (the skip connections of the UNet).
 *
 *   y[..., :] = [a[..., :], b[..., :]]
 *
 *   a   [..., Ca]   f16 or f32
 *   b   [..., Cb]   f16 or f32
 *   y   [..., Ca + Cb], dtype of a; Ca and Cb multiples of 4
 *
 * Images seen as [N·H, W·C] are joined along their width, as [N, H·W·C] along their height; hence
 * a flat grid, which has room for rows of any length. One invocation per four channels of y;
 * memory-bound.
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
import { FLAT_MAIN, flatGrid, rowsOf, vectorsOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface ConcatInputs {
  readonly a: TensorType;
  readonly b: TensorType;
}

export function concat({ a, b }: ConcatInputs, _: object, target: Target): Kernel {
  const { channels: channelsA } = rowsOf('a', a);
  const { channels: channelsB } = rowsOf('b', b);
  const outer = a.shape.slice(0, -1);
  expectShape('b', b, [...outer, channelsB]);

  const channels = channelsA + channelsB;
  const y: TensorType = { dtype: a.dtype, shape: [...outer, channels] };
  const vectors = vectorsOf('y', y);
  const params = { vectors: u32(vectors), groups: u32(channels / 4), groups_a: u32(channelsA / 4) };
  return {
    name: 'concat',
    variant: `${format(a)} + ${channelsB}`,
    bindings: { a: 1, b: 2 },
    params,
    output: { binding: 3, type: y },
    workgroups: flatGrid(vectors),
    cost: { flops: 0, bytes: byteLength(a) + byteLength(b) + byteLength(y) },
    wgsl: wgsl`
${enableF16(target, a.dtype, b.dtype)}
${paramsWgsl(params)}
${readWgsl('a', 1, a.dtype, target)}
${readWgsl('b', 2, b.dtype, target)}
${writeWgsl('y', 3, y.dtype, target)}

fn element(i: u32) {
  let row = i / params.groups;
  let group = i - row * params.groups;
  if (group < params.groups_a) {
    store_y(i, load_a(row * params.groups_a + group));
  } else {
    let groups_b = params.groups - params.groups_a;
    store_y(i, load_b(row * groups_b + group - params.groups_a));
  }
}
${FLAT_MAIN}
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
