/**
 * Elementwise activation, for the places where no producer can apply it to its own result.
 *
 *   y = act(x)      the functions of epilogue.ts
 *
 *   x, y   same shape and dtype, element count a multiple of 4
 *
 * One invocation per four elements; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  format,
  type Kernel,
  paramsWgsl,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, vectorsOf } from './elementwise.ts';
import { activate, type Activation, activationWgsl } from './epilogue.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface ActivationInputs {
  readonly x: TensorType;
}

export interface ActivationConstants {
  readonly kind: Activation;
}

export function activation(
  { x }: ActivationInputs,
  { kind }: ActivationConstants,
  target: Target,
): Kernel {
  const vectors = vectorsOf('x', x);
  const params = { vectors: u32(vectors) };
  return {
    name: 'activation',
    variant: `${format(x)} ${kind}`,
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: x },
    workgroups: flatGrid(vectors),
    // an exponential, counted as 8, and a handful of other operations
    cost: { flops: 4 * vectors * 12, bytes: 2 * byteLength(x) },
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, x.dtype, target)}
${activationWgsl(kind)}

fn element(i: u32) { store_y(i, activate(load_x(i))); }
${FLAT_MAIN}
`,
  };
}

export const activationReference = (
  { x }: { x: Float32Array },
  { kind }: ActivationConstants,
): Float32Array => x.map((v) => activate(kind, v));
