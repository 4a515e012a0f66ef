/**
 * Folds nearest ×2 upsampling into the 3x3 convolution (padding 1) after it.
 *
 * An output pixel of parity p sees only two distinct input pixels per axis, because its three taps
 * fall on upsampled pixels that repeat. Per axis, from taps k0 k1 k2:
 *
 *   phase 0: [k0, k1 + k2]   on input pixels i - 1, i
 *   phase 1: [k0 + k1, k2]   on input pixels i, i + 1
 *
 *   weight  [3, 3, Ci, Co] → [2, 2, 2, 2, Ci, Co] (phase y, phase x, tap y, tap x)
 *
 * 16 of 36 multiplications per input pixel remain, and the upsampled image is never stored.
 */

/** `TAPS[phase][tap]`: the 3x3 taps summed. */
const TAPS = [
  [[0], [1, 2]],
  [[0, 1], [2]],
] as const;

export function phaseWeights(
  weight: Float32Array,
  inputChannels: number,
  outputChannels: number,
): Float32Array<ArrayBuffer> {
  const plane = inputChannels * outputChannels;
  const phases = new Float32Array(16 * plane);
  let at = 0;
  for (const phaseY of TAPS) {
    for (const phaseX of TAPS) {
      for (const tapsY of phaseY) {
        for (const tapsX of phaseX) {
          const sum = phases.subarray(at, (at += plane));
          for (const ky of tapsY) {
            for (const kx of tapsX) {
              const from = (3 * ky + kx) * plane;
              for (let i = 0; i < plane; i++) sum[i] = (sum[i] ?? 0) + (weight[from + i] ?? 0);
            }
          }
        }
      }
    }
  }
  return phases;
}
