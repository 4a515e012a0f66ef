/**
 * Some rows of a weight into their columns: what `convert` (layout.ts) does to a whole one, for pieces that
 * large loads read one after another (graph/load-batch.ts).
 *
 * f16 moves in pairs: two words of two rows are two words of two columns, half the loads and stores. Four
 * rows a turn share the loop's own work.
 */
import { toHalf } from './half.ts';
import { type RawTensor, toF16, toF32 } from './layout.ts';
import { COLUMNS, pad4, ROWS, type TransposedRows, transposeRows } from './transpose.ts';

type Words = Uint16Array<ArrayBuffer>;

/**
 * Some rows of a `linear` or `conv` weight, F16, BF16 or F32 as the file has them, into their columns
 * of `to`, which is the whole f16 result; no axis needs padding. Values beyond f16 become infinite
 * (f16-range.ts `holdsBeyond` tells before).
 */
export function convertRows(
  { dtype, shape, bytes, name }: RawTensor,
  to: Uint16Array<ArrayBuffer>,
  { first, rows }: { readonly first: number; readonly rows: number },
): void {
  const [outputs = 1, inputs = 1, ...spatial] = shape;
  const taps = spatial.reduce((n, d) => n * d, 1);
  const raw: RawTensor = { name, dtype, shape, bytes };
  const values = dtype === 'F16' ? toF16(raw) : toHalf(toF32(raw));
  const columns: TransposedRows = { first, rows, outputs, inputs, taps };
  const extents = [first, rows, outputs, inputs * taps, values.byteOffset / 2, to.byteOffset / 2];
  if (rows % 4 === 0 && extents.every(isEven)) movePairs(words32(values), words32(to), columns);
  else transposeRows(values, to, columns);
}

const isEven = (n: number): boolean => n % 2 === 0;

const words32 = ({ buffer, byteOffset, byteLength }: Words): Uint32Array<ArrayBuffer> =>
  new Uint32Array(buffer, byteOffset, Math.floor(byteLength / 4));

/** `transposeRows` on words that hold two elements; every extent is even, rows are a multiple of 4. */
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
