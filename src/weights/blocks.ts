/**
 * f16 matrices [K, N], one or several one after another, cut into blocks: [K/k, N/n, k, n]. What
 * kernels/blocks.ts says of types, on bytes.
 */
import type { Blocks } from '../engine/kernel.ts';

const ELEMENT_BYTES = 2;

/** K is a multiple of k, N = `columns` of n. */
export function packBlocks(
  matrix: Uint8Array,
  columns: number,
  { k, n }: Blocks,
): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(matrix.length);
  const row = columns * ELEMENT_BYTES;
  const run = n * ELEMENT_BYTES;
  let at = 0;
  for (let top = 0; top < matrix.length; top += k * row) {
    for (let left = 0; left < row; left += run) {
      for (let from = top + left; from < top + k * row; from += row) {
        packed.set(matrix.subarray(from, from + run), at);
        at += run;
      }
    }
  }
  return packed;
}
