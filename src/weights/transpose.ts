/**
 * Rows of [O, I, ...taps] → their columns of [...taps, pad4(I), pad4(O)], the transposition that
 * `linear` and `conv` weights are.
 *
 * Blocks of 512 rows × 32 columns: a block's source lines stay in the second cache while its columns
 * are taken one after another, and each is written as one run of a KiB.
 */
export interface TransposedRows {
  /** Rows in `from`, which begins with row `first`. */
  readonly first: number;
  readonly rows: number;
  readonly outputs: number;
  readonly inputs: number;
  readonly taps: number;
}

type Words = Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

export const ROWS = 512;
export const COLUMNS = 32;

/** Channels as the kernels count them. */
export const pad4 = (n: number): number => Math.ceil(n / 4) * 4;

/** `to` is the whole result; what pads it is not written. */
export function transposeRows(from: Words, to: Words, shape: TransposedRows): void {
  const { first, rows, outputs, inputs, taps } = shape;
  const stride = pad4(outputs);
  const columns = inputs * taps;
  const tapStride = pad4(inputs) * stride;
  for (let r0 = 0; r0 < rows; r0 += ROWS) {
    const r1 = Math.min(rows, r0 + ROWS);
    for (let c0 = 0; c0 < columns; c0 += COLUMNS) {
      const c1 = Math.min(columns, c0 + COLUMNS);
      for (let c = c0; c < c1; c++) {
        const row = (c % taps) * tapStride + Math.floor(c / taps) * stride + first;
        for (let r = r0, at = r0 * columns + c; r < r1; r++, at += columns) {
          to[row + r] = from[at] ?? 0;
        }
      }
    }
  }
}
