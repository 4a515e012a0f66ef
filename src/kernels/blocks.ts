/**
 * Weights in blocks of one matrix, so that a subgroup loads each of its matrices as one run of bytes:
 *
 *   plain    [..., K, N]              a matrix is k rows of n columns, N columns apart
 *   packed   [..., K/k, N/n, k, n]    512 bytes in a row, for 16 × 16 of f16
 *
 * f16, K a multiple of k, N of n, n of 8. weights/blocks.ts does the same to bytes.
 */
import { type Blocks, format, ShapeError, type TensorType } from '../engine/kernel.ts';

/** The type of a plain weight in blocks. */
export function packedType(weight: TensorType, { k, n }: Blocks): TensorType {
  const [rows = 0, columns = 0] = weight.shape.slice(-2);
  if (weight.dtype !== 'f16' || rows % k !== 0 || columns % n !== 0 || n % 8 !== 0) {
    throw new ShapeError(
      `weight is ${format(weight)}, expected f16 of whole blocks of ${k} x ${n}`,
    );
  }
  return { dtype: 'f16', shape: [...weight.shape.slice(0, -2), rows / k, columns / n, k, n] };
}

/**
 * `place(row, group, groups)`: where `width` columns of a row of a weight lie, counted in as many; a
 * row has `groups` of them.
 */
export function placeWgsl(blocks: Blocks | undefined, width: 4 | 8): string {
  if (!blocks) {
    return `fn place(row: u32, group: u32, groups: u32) -> u32 { return row * groups + group; }`;
  }
  return `const BLOCK_ROWS: u32 = ${blocks.k};
const BLOCK_GROUPS: u32 = ${blocks.n / width};
fn place(row: u32, group: u32, groups: u32) -> u32 {
  let block = row / BLOCK_ROWS * (groups / BLOCK_GROUPS) + group / BLOCK_GROUPS;
  return (block * BLOCK_ROWS + row % BLOCK_ROWS) * BLOCK_GROUPS + group % BLOCK_GROUPS;
}`;
}
