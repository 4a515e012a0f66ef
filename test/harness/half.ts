/** f16 ↔ f32 for test data (Node 20 has no Float16Array). */
import { f16BitsToF32, f32ToF16Bits } from '../../src/weights/half.ts';

// Loops: `from` with a function goes through an iterator, which is seconds for the largest cases.
export function toF16Bits(values: Float32Array): Uint16Array {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) bits[i] = f32ToF16Bits(values[i]!);
  return bits;
}

export function fromF16Bits(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = f16BitsToF32(bits[i]!);
  return values;
}

/** Every value rounded to the nearest f16, ties to even. */
export const roundF16 = (values: Float32Array): Float32Array => fromF16Bits(toF16Bits(values));
