/**
 * Bytes of floats in one type → the nearest values of another, ties to even. Infinities and NaN stay;
 * finite values that the new type cannot hold are told, for the caller to refuse.
 *
 * F64 → F16 rounds once: by way of an f32 whose last bit says that something was cut off.
 */
import { toHalf } from './half.ts';
import { aligned, CONVERTIBLE, toF32 } from './layout.ts';
import type { FileDType } from './safetensors-header.ts';

export type CastTarget = 'F16' | 'F32';

/** Half way between 65504, the largest f16, and what would be the next: rounds up, to infinity. */
const BEYOND_HALF = 65_520;

/** The type that a tensor of `dtype` gets: integers keep theirs. */
export const castType = (dtype: FileDType, target: CastTarget | undefined): FileDType =>
  target !== undefined && CONVERTIBLE.has(dtype) ? target : dtype;

export interface Cast {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The first finite value that the new type cannot hold. */
  readonly beyond: number | undefined;
}

/** `bytes` hold whole elements of `dtype`; those of `castType(dtype, target)` come back. */
export function cast(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: FileDType,
  target: CastTarget | undefined,
): Cast {
  if (castType(dtype, target) === dtype || target === undefined)
    return { bytes, beyond: undefined };
  const values = floatsOf(bytes, dtype);
  const beyond = firstBeyond(values, target);
  const singles =
    values instanceof Float32Array
      ? values
      : Float32Array.from(values, target === 'F16' ? roundToOdd : Math.fround);
  const result = target === 'F16' ? toHalf(singles) : singles;
  return { bytes: new Uint8Array(result.buffer, result.byteOffset, result.byteLength), beyond };
}

function floatsOf(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: FileDType,
): Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> {
  if (dtype !== 'F64') return toF32({ name: dtype, dtype, bytes });
  const { buffer, byteOffset, byteLength } = aligned(bytes, 8);
  return new Float64Array(buffer, byteOffset, byteLength / 8);
}

function firstBeyond(values: Float32Array | Float64Array, target: CastTarget): number | undefined {
  if (target === 'F32' && values instanceof Float32Array) return undefined;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    const magnitude = Math.abs(target === 'F32' ? Math.fround(value) : value);
    const limit = target === 'F32' ? Infinity : BEYOND_HALF;
    if (magnitude >= limit && Number.isFinite(value)) return value;
  }
  return undefined;
}

const single = new Float32Array(1);
const bits = new Int32Array(single.buffer);

/** The f32 at or beside `value` that is odd in its last bit, unless `value` is an f32 itself. */
function roundToOdd(value: number): number {
  single[0] = value;
  const nearest = single[0];
  if (nearest === value || !Number.isFinite(nearest) || (bits[0] ?? 0) & 1) return nearest;
  bits[0] = (bits[0] ?? 0) + (Math.abs(nearest) < Math.abs(value) ? 1 : -1);
  return single[0];
}
