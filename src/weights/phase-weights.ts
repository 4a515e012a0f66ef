/**
 * Weights of `upsampleConv2d` from those of the 3×3 convolution that follows a nearest 2x upsampling.
 *
 *   [3, 3, Ci, Co] → [2, 2, 2, 2, Ci, Co]      (phase y, phase x, tap y, tap x)
 *
 * Along one axis the taps k0 k1 k2 of an even output pixel 2i lie on upsampled pixels 2i - 1, 2i,
 * 2i + 1, that is on inputs i - 1, i, i; of an odd one, 2i + 1, on inputs i, i, i + 1. Taps on the
 * same input are summed.
 */

/** For each phase and tap of one axis, the taps of the 3×3 kernel that it sums. */
const SUMMED_TAPS = [
  [[0], [1, 2]],
  [[0, 1], [2]],
] as const;

/** `block` is Ci·Co, the elements of one tap. */
export function phaseWeights(weight: Float32Array, block: number): Float32Array {
  if (weight.length !== 9 * block) {
    throw new RangeError(`a 3×3 weight has ${9 * block} elements, got ${weight.length}`);
  }
  const phases = new Float32Array(16 * block);
  let offset = 0;
  for (const phaseY of SUMMED_TAPS) {
    for (const phaseX of SUMMED_TAPS) {
      for (const tapY of phaseY) {
        for (const tapX of phaseX) {
          for (let i = 0; i < block; i++) {
            let sum = 0;
            for (const ky of tapY) for (const kx of tapX) sum += weight[(ky * 3 + kx) * block + i] ?? 0;
            phases[offset + i] = sum;
          }
          offset += block;
        }
      }
    }
  }
  return phases;
}
