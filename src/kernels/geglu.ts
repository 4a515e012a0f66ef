/**
 * Gated GELU of a feed-forward block.
 *
 *   y[r, c] = x[r, c] * gelu(x[r, C + c])        exact (erf) GELU
 *
 *   x   [..., 2C]   f16 or f32, C a multiple of 4
 *   y   [..., C]    same dtype
 *
 * One invocation per four outputs; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  format,
  type Kernel,
  paramsWgsl,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid } from './elementwise.ts';
import { activate, activationWgsl } from './epilogue.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface GegluInputs {
  readonly x: TensorType;
}

export function geglu({ x }: GegluInputs, _constants: object, target: Target): Kernel {
  const channels = (x.shape.at(-1) ?? 0) / 2;
  if (channels % 4 !== 0 || channels === 0) {
    throw new ShapeError(`x is ${format(x)}, its last axis must be a non-zero multiple of 8`);
  }
  const y: TensorType = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), channels] };
  const size = sizeOf(y.shape);
  const params = { vectors: u32(size / 4), columns: u32(channels / 4) };
  return {
    name: 'geglu',
    variant: format(x),
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: y },
    workgroups: flatGrid(size / 4),
    cost: { flops: 20 * size, bytes: byteLength(x) + byteLength(y) },
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, x.dtype, target)}
${activationWgsl('gelu')}

fn element(i: u32) {
  let at = i + i / params.columns * params.columns;  // each row of x is two of y
  store_y(i, load_x(at) * activate(load_x(at + params.columns)));
}
${FLAT_MAIN}
`,
  };
}

export function gegluReference(
  { x }: { x: Float32Array },
  { channels }: { readonly channels: number },
): Float32Array {
  return Float32Array.from({ length: x.length / 2 }, (_, i) => {
    const at = i + Math.floor(i / channels) * channels;
    return (x[at] ?? 0) * activate('gelu', x[at + channels] ?? 0);
  });
}
