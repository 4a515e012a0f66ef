/**
 * Marks whether a tensor holds NaN or Infinity.
 *
 *   flags[0] = max(flags[0], mark)   where any element of x is not finite; else nothing is written
 *
 *   x       any shape, element count a multiple of 4; f16 or f32
 *   flags   u32 [4], accumulated: zeros mean "all finite so far"
 *
 * Bits are looked at, not values: a shader compiler may assume that floats are finite. A mark that
 * falls along a plan leaves the first dispatch's in the end (graph/watch.ts). One invocation per four
 * elements; memory-bound; atomics only where something was found.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  format,
  type Kernel,
  paramsWgsl,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, vectorsOf } from './elementwise.ts';

export interface NonFiniteInputs {
  readonly x: TensorType;
}

export interface NonFiniteConstants {
  /** From 1 on. */
  readonly mark: number;
}

/** What the marks accumulate in. */
export const FLAGS: TensorType = { dtype: 'u32', shape: [4] };

export function nonFinite(
  { x }: NonFiniteInputs,
  { mark }: NonFiniteConstants,
  _target: Target,
): Kernel {
  const vectors = vectorsOf('x', x);
  if (x.dtype === 'u32') throw new ShapeError(`x is ${format(x)}, expected f16 or f32`);

  const params = { vectors: u32(vectors), mark: u32(mark) };
  const isHalf = x.dtype === 'f16';
  return {
    name: 'nonFinite',
    variant: format(x),
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: FLAGS },
    workgroups: flatGrid(vectors),
    cost: { flops: 0, bytes: byteLength(x) },
    wgsl: wgsl`
${paramsWgsl(params)}
#if ${isHalf}
alias Bits = vec2u;
#else
alias Bits = vec4u;
#endif
@group(0) @binding(1) var<storage, read> x: array<Bits>;
@group(0) @binding(2) var<storage, read_write> flags: array<atomic<u32>>;

// NaN and Infinity have all bits of the exponent set.
fn is_any(bits: Bits, exponent: u32) -> bool {
  return any((bits & Bits(exponent)) == Bits(exponent));
}

fn element(i: u32) {
  let bits = x[i];
#if ${isHalf}
  let found = is_any(bits, 0x7c00u) || is_any(bits, 0x7c000000u);
#else
  let found = is_any(bits, 0x7f800000u);
#endif
  if (found && atomicLoad(&flags[0]) < params.mark) { atomicMax(&flags[0], params.mark); }
}
${FLAT_MAIN}
`,
  };
}

export function nonFiniteReference(
  { x }: { x: Float32Array },
  { mark }: NonFiniteConstants,
  initial: Uint32Array = new Uint32Array(4),
): Uint32Array<ArrayBuffer> {
  const flags = Uint32Array.from(initial);
  if (x.some((v) => !Number.isFinite(v))) flags[0] = Math.max(flags[0] ?? 0, mark);
  return flags;
}
