/** Which values f16 cannot hold, seen in the bytes of a file. */

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
