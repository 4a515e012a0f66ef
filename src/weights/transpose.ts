/**
 * Rows of [O, I, ...taps] → their columns of [...taps, pad4(I), pad4(O)], the transposition that
 * `linear` and `conv` weights are.
 *
 * Blocks of 512 rows × 32 columns: a block's source lines stay in the second cache while its columns
 * are taken one after another, and each is written as one run of a KiB. f16 moves in pairs: two words
 * of two rows are two words of two columns, half the loads and stores. Four rows a turn share the
 * loop's own work.
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

const ROWS = 512;
const COLUMNS = 32;

/** Channels as the kernels count them. */
export const pad4 = (n: number): number => Math.ceil(n / 4) * 4;

/** `to` is the whole result; what pads it is not written. */
export function transposeRows<T extends Words>(from: T, to: T, shape: TransposedRows): void {
  const { first, rows, inputs, taps, outputs } = shape;
  const isPaired =
    from instanceof Uint16Array &&
    rows % 4 === 0 &&
    [first, rows, outputs, inputs * taps, from.byteOffset / 2, to.byteOffset / 2].every(isEven);
  if (isPaired) movePairs(words32(from), words32(to), shape);
  else move(from, to, shape);
}

const isEven = (n: number): boolean => n % 2 === 0;

const words32 = ({ buffer, byteOffset, byteLength }: Words): Uint32Array<ArrayBuffer> =>
  new Uint32Array(buffer, byteOffset, Math.floor(byteLength / 4));

function move(from: Words, to: Words, shape: TransposedRows): void {
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

/** The same on words that hold two elements; every extent is even, rows are a multiple of 4. */
function movePairs(
  from: Uint32Array<ArrayBuffer>,
  to: Uint32Array<ArrayBuffer>,
  { first, rows, outputs, inputs, taps }: TransposedRows,
): void {
  const stride = pad4(outputs) / 2;
  const columns = inputs * taps;
  const half = columns / 2;
  const tapStride = pad4(inputs) * stride;
  const rowOf = (c: number): number =>
    (c % taps) * tapStride + Math.floor(c / taps) * stride + first / 2;
  for (let r0 = 0; r0 < rows; r0 += ROWS) {
    const r1 = Math.min(rows, r0 + ROWS);
    for (let c0 = 0; c0 < columns; c0 += COLUMNS) {
      const c1 = Math.min(columns, c0 + COLUMNS);
      for (let c = c0; c < c1; c += 2) {
        let even = rowOf(c) + r0 / 2;
        let odd = rowOf(c + 1) + r0 / 2;
        let at = r0 * half + c / 2;
        for (let r = r0; r < r1; r += 4) {
          const w0 = from[at] ?? 0;
          const w1 = from[at + half] ?? 0;
          at += columns;
          const w2 = from[at] ?? 0;
          const w3 = from[at + half] ?? 0;
          at += columns;
          to[even] = (w0 & 0xffff) | (w1 << 16);
          to[even + 1] = (w2 & 0xffff) | (w3 << 16);
          even += 2;
          to[odd] = (w0 >>> 16) | (w1 & 0xffff_0000);
          to[odd + 1] = (w2 >>> 16) | (w3 & 0xffff_0000);
          odd += 2;
        }
      }
    }
  }
}
