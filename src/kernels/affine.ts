/**
 * Elementwise affine combination of one or two tensors, optionally clamped.
 *
 *   y = clamp(alpha * a + beta * b + gamma, min, max)
 *
 *   a, b, y   same shape, element count a multiple of 4; any mix of f16 and f32; b optional
 *
 * Serves the scheduler (x + e·Δσ), input scaling, classifier-free guidance and image ranges.
 * One invocation per four elements; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  type DType,
  expectShape,
  f32,
  format,
  type Kernel,
  paramsWgsl,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, vectorsOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface AffineInputs {
  readonly a: TensorType;
  readonly b?: TensorType | undefined;
}

export interface AffineConstants {
  readonly alpha: number;
  readonly beta?: number;
  readonly gamma?: number;
  /** @default no clamping */
  readonly min?: number;
  readonly max?: number;
  /** Storage of y. @default that of a */
  readonly dtype?: DType;
}

const F32_MAX = 3.4028234e38;

export function affine(
  { a, b }: AffineInputs,
  { alpha, beta = 0, gamma = 0, min = -F32_MAX, max = F32_MAX, dtype = a.dtype }: AffineConstants,
  target: Target,
): Kernel {
  const vectors = vectorsOf('a', a);
  if (b) expectShape('b', b, a.shape);

  const y: TensorType = { dtype, shape: a.shape };
  const params = {
    vectors: u32(vectors),
    alpha: f32(alpha),
    beta: f32(beta),
    gamma: f32(gamma),
    low: f32(min),
    high: f32(max),
  };
  return {
    name: 'affine',
    variant: `${format(a)}${b ? ' + b' : ''} → ${dtype}`,
    bindings: b ? { a: 1, b: 2 } : { a: 1 },
    params,
    output: { binding: 3, type: y },
    workgroups: flatGrid(vectors),
    cost: {
      flops: 4 * vectors * (b ? 4 : 2),
      bytes: byteLength(a) + (b ? byteLength(b) : 0) + byteLength(y),
    },
    wgsl: wgsl`
${enableF16(target, a.dtype, b?.dtype, dtype)}
${paramsWgsl(params)}
${readWgsl('a', 1, a.dtype, target)}
#if ${b !== undefined}
${b ? readWgsl('b', 2, b.dtype, target) : ''}
#endif
${writeWgsl('y', 3, dtype, target)}

fn element(i: u32) {
  var v = params.alpha * load_a(i) + params.gamma;
#if ${b !== undefined}
  v += params.beta * load_b(i);
#endif
  store_y(i, clamp(v, vec4f(params.low), vec4f(params.high)));
}
${FLAT_MAIN}
`,
  };
}

export function affineReference(
  { a, b }: { a: Float32Array; b?: Float32Array | undefined },
  { alpha, beta = 0, gamma = 0, min = -F32_MAX, max = F32_MAX }: AffineConstants,
): Float32Array {
  return a.map((v, i) => Math.min(max, Math.max(min, alpha * v + beta * (b?.[i] ?? 0) + gamma)));
}
