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
  if (magnitude > 0x7f80_0000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x4780_0000) return sign | 0x7c00; // ≥ 65536: infinity
  if (magnitude >= 0x3880_0000) {
    // Normal: rebias the exponent by 127 - 15 = 112, then round away 13 mantissa bits. A carry out
    // of the mantissa correctly raises the exponent, up to infinity.
    const rebased = magnitude - (112 << 23);
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude < 0x3300_0000) return sign; // below half the smallest subnormal, 2^-25
  const exponent = magnitude >>> 23;
  const mantissa = (magnitude & 0x7f_ffff) | 0x80_0000;
  const shift = 126 - exponent; // 14..24
  const half = 1 << (shift - 1);
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
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
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] ?? 0;
    const magnitude = word & 0x7fff_ffff;
    // What nearly all weights are: normal in f16.
    if (magnitude >= 0x3880_0000 && magnitude < 0x4780_0000) {
      const rebased = magnitude - (112 << 23);
      half[i] = ((word >>> 16) & 0x8000) | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
    } else {
      half[i] = roundToHalf(word);
    }
  }
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

/**
 * Magnitudes, as bits, up to which f16 holds a value, and every sum of four such values. Above 65520,
 * half way between 65504 and the 65536 that f16 lacks, values round to infinity.
 */
const LARGEST = {
  F32: { 1: 0x477f_efff, 4: 0x467f_e000 },
  BF16: { 1: 0x477f, 4: 0x467f },
  // Infinity too: bits that need no rounding are moved as they are.
  F16: { 1: 0x7fff, 4: 0x73ff },
} as const;

/**
 * True where f16 may not hold a value, or a sum of `terms` of them. `bytes` are a tensor's as its file
 * has them; other types than these are not looked at.
 */
export function holdsBeyond(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: string,
  terms: 1 | 4 = 1,
): boolean {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === 'F32') {
    const limit = LARGEST.F32[terms];
    return exceeds(new Uint32Array(buffer, byteOffset, byteLength / 4), 0x7fff_ffff, limit);
  }
  if (dtype !== 'BF16' && !(dtype === 'F16' && terms === 4)) return false;
  return exceeds(
    new Uint16Array(buffer, byteOffset, byteLength / 2),
    0x7fff,
    LARGEST[dtype][terms],
  );
}

function exceeds(words: Uint32Array | Uint16Array, mask: number, limit: number): boolean {
  for (let i = 0; i < words.length; i++) {
    if (((words[i] ?? 0) & mask) > limit) return true;
  }
  return false;
}
