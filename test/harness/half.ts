/** f16 ↔ f32 for test data (Node 20 has no Float16Array). */
import { f16BitsToF32, f32ToF16Bits } from '../../src/weights/half.ts';

export const toF16Bits = (values: Float32Array): Uint16Array =>
  Uint16Array.from(values, f32ToF16Bits);
export const fromF16Bits = (bits: Uint16Array): Float32Array =>
  Float32Array.from(bits, f16BitsToF32);
/** Every value rounded to the nearest f16, ties to even. */
export const roundF16 = (values: Float32Array): Float32Array =>
  values.map((v) => f16BitsToF32(f32ToF16Bits(v)));
