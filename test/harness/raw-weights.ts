/** Tensors as checkpoints hold them, with the values that roundings go wrong at. */
import { type Shape, sizeOf } from '../../src/engine/kernel.ts';
import type { RawTensor } from '../../src/weights/layout.ts';
import { toHalf } from '../../src/weights/half.ts';
import { normal } from './random.ts';

/**
 * f32 values around every kind of f16 boundary: ties to even both ways, subnormals and their least
 * ones, what rounds to zero, the largest, both zeros. No f32 subnormals, which devices may flush.
 */
const EDGES = [
  0,
  -0,
  1,
  -1,
  65504,
  -65504,
  65519,
  1 + 2 ** -11,
  1 + 3 * 2 ** -11,
  1 + 2 ** -11 + 2 ** -23,
  1 - 2 ** -12,
  2 ** -14,
  2 ** -14 - 2 ** -25,
  2 ** -24,
  -(2 ** -24),
  2 ** -25,
  2 ** -25 + 2 ** -48,
  3 * 2 ** -25,
  -(2 ** -26),
  5 * 2 ** -25,
  1023.5 * 2 ** -24,
  2 ** -126,
  0.1,
  1 / 3,
];

/** Normal values and those of EDGES; 3x3 weights without the ones whose sums f16 does not hold. */
export function rawWeight(
  dtype: 'F16' | 'BF16' | 'F32' | 'F64',
  shape: Shape,
  { name = 'x.weight', seed = 1 }: { readonly name?: string; readonly seed?: number } = {},
): RawTensor {
  const values = normal(sizeOf(shape), seed, { std: 0.05 });
  const special = EDGES.filter((v) => shape[2] !== 3 || Math.abs(v) < 16376);
  for (const [i, v] of special.entries()) values[(i * 7) % values.length] = v;
  return { name, dtype, shape, bytes: encode(dtype, values) };
}

function encode(
  dtype: 'F16' | 'BF16' | 'F32' | 'F64',
  values: Float32Array,
): Uint8Array<ArrayBuffer> {
  switch (dtype) {
    case 'F16':
      return new Uint8Array(toHalf(values).buffer);
    case 'BF16':
      // Truncated: any bits will do.
      return new Uint8Array(
        Uint16Array.from(new Uint32Array(values.slice().buffer), (word) => word >>> 16).buffer,
      );
    case 'F32':
      return new Uint8Array(values.slice().buffer);
    case 'F64':
      return new Uint8Array(Float64Array.from(values).buffer);
  }
}
