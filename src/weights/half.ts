/**
 * IEEE 754 binary16 and bfloat16 conversions, round-half-to-even, subnormals kept.
 *
 * The scalar functions serve tests and small data; `toHalf` and `toSingle` convert whole tensors.
 */

const scratch = new Uint32Array(1);
const scratchFloat = new Float32Array(scratch.buffer);

/** Bits of the f16 nearest to an f32 given by its bits; overflow gives ±Infinity, NaN stays NaN. */
function roundToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  // What nearly all weights are: normal in f16. Rebias the exponent by 127 - 15 = 112, then round away 13
  // mantissa bits. A carry out of the mantissa correctly raises the exponent, up to infinity.
  if (magnitude >= 0x3880_0000 && magnitude < 0x4780_0000) {
    const rebased = magnitude - (112 << 23);
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude > 0x7f80_0000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x4780_0000) return sign | 0x7c00; // ≥ 65536: infinity
  // The last bit of ½ is 2⁻²⁴, the smallest subnormal: their sum is rounded as f16 would be.
  scratch[0] = magnitude;
  scratchFloat[0] = (scratchFloat[0] ?? 0) + 0.5;
  return sign | ((scratch[0] ?? 0) - 0x3f00_0000);
}

/** Bits of the f16 nearest to `value` (rounded to f32 first). */
export function f32ToF16Bits(value: number): number {
  scratchFloat[0] = value;
  return roundToHalf(scratch[0] ?? 0);
}

export function f16BitsToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** f16 bits of every value. */
export function toHalf(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const half = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) half[i] = roundToHalf(bits[i] ?? 0);
  return half;
}

/** All 65,536 f16 values as f32: 256 KiB, which stay in cache. Made on first use. */
let singles: Float32Array | undefined;

/** The values that f16 bits stand for. */
export function toSingle(half: Uint16Array): Float32Array<ArrayBuffer> {
  singles ??= Float32Array.from({ length: 0x1_0000 }, (_, bits) => f16BitsToF32(bits));
  const table = singles;
  const values = new Float32Array(half.length);
  for (let i = 0; i < half.length; i++) values[i] = table[half[i] ?? 0] ?? 0;
  return values;
}

/** The values that bf16 bits stand for: the upper halves of f32. */
export function bf16ToSingle(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
  return values;
}
