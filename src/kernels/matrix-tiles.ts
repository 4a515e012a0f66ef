/**
 * Tiles of the product on subgroup matrices, and which of them suit a shape.
 *
 * A workgroup of 128 invocations computes pixels × columns, shared out among its subgroups in two
 * columns; a subgroup keeps its share in matrices of sums. What to expect, unmeasured:
 *
 *   128x128  64 × 64 per subgroup of 32: 128 registers of sums, and each fragment loaded from shared
 *            memory serves four products; with 64 × 32 per subgroup those of x serve only two
 *   64x64    32 × 32: more workgroups, for images of few pixels
 *   matrix   pixels in a row, gathered anew for every tap: linear layers, strides, narrow images
 *   halo     a block of pixels, 16 wide, staged with its border once for all taps
 *   direct   weights from global memory straight into matrices, without a tile in shared memory; only
 *            where input and output channels are multiples of the matrix. Graphs give them weights in
 *            blocks of one matrix (blocks.ts, graph/pack.ts), which no other design reads
 *
 * Operands in f16 need x and weights stored as f16. Those in f32 take any storage: it is turned into
 * f32 on the way to shared memory, hence no `direct`, and nothing is rounded.
 */
import type { SubgroupMatrix, Target } from '../engine/kernel.ts';
import type { ImplicitGemm } from './gemm-program.ts';
import { isPacked } from './storage.ts';

export const THREADS = 128;
/** Pixels along x of a halo tile: runs of them are the rows of a matrix. */
export const HALO_WIDTH = 16;
/** Taps along an axis that the border of a halo tile has room for. */
const MAX_TAPS = 3;
/**
 * Sums that an invocation has in registers. Operands are f32 on Apple's GPUs, where an invocation is said to
 * have 128 registers for everything (not verified).
 */
const MAX_SUMS = { f16: 128, f32: 64 } as const;
/** Rows of matrices that all subgroups store at a time: more would not fit into 32 KiB beside x and weights. */
const MAX_STORED_ROWS = 64;
/** Fewer workgroups leave processors of a large GPU idle (an H200 has 132); then the tile is a smaller one. */
const MANY_WORKGROUPS = 128;

/** Everything that the WGSL text depends on. */
export interface MatrixDesign {
  readonly matrix: SubgroupMatrix;
  readonly pixels: number;
  readonly columns: number;
  readonly isHalo: boolean;
  readonly isDirect: boolean;
  /** Each matrix of the weights is one run of bytes: blocks.ts. */
  readonly inBlocks: boolean;
  /** Subgroups of the workgroup, `across` of them side by side along the columns. */
  readonly subgroups: number;
  readonly across: number;
  /** Pixels and columns of one subgroup. */
  readonly subgroupPixels: number;
  readonly subgroupColumns: number;
}

const NAME = /^(matrix|halo)(\d+)x(\d+)( direct)?$/;
const SIZES = ['128x128', '128x64', '64x64'] as const;

/** Undefined where the name is none of these, or the product is none for it on this target. */
export function matrixDesign(
  name: string,
  gemm: ImplicitGemm,
  target: Target,
): MatrixDesign | undefined {
  const [, gather, height, width, direct] = NAME.exec(name) ?? [];
  const { matrix } = target;
  if (gather === undefined || !matrix) return undefined;
  const { m, n, k, component } = matrix;
  const isHalf = component === 'f16';
  const isStoredSo = [gemm.x, gemm.weight].every(({ dtype }) => dtype === 'f16');
  if (isHalf && (!isStoredSo || isPacked(target))) return undefined;
  const [isHalo, isDirect] = [gather === 'halo', direct !== undefined];
  if (isHalo && !fitsHalo(gemm)) return undefined;
  if (isDirect && (!isHalf || gemm.input.channels % k !== 0 || gemm.channels % n !== 0)) {
    return undefined;
  }
  const { blocks } = gemm;
  if (blocks && !(isDirect && blocks.k === k && blocks.n === n)) return undefined;
  const [pixels, columns] = [Number(height), Number(width)];
  const subgroups = THREADS / matrix.subgroupSize;
  if (subgroups * m > MAX_STORED_ROWS) return undefined;
  const across = 2;
  const subgroupPixels = pixels / (subgroups / across);
  const subgroupColumns = columns / across;
  if (!Number.isInteger(subgroupPixels / m)) return undefined;
  if ((pixels * columns) / THREADS > MAX_SUMS[component]) return undefined;
  return {
    matrix,
    pixels,
    columns,
    isHalo,
    isDirect,
    inBlocks: blocks !== undefined,
    subgroups,
    across,
    subgroupPixels,
    subgroupColumns,
  };
}

const fitsHalo = ({ taps, stride, pixels }: ImplicitGemm): boolean =>
  stride === 1 &&
  taps.y * taps.x > 1 &&
  Math.max(taps.y, taps.x) <= MAX_TAPS &&
  pixels.width >= HALO_WIDTH;

/** Designs worth measuring, the best guess first; none where matrices do not apply. */
export function gemmDesigns(gemm: ImplicitGemm, target: Target): readonly string[] {
  const count = (size: string): number => {
    const [pixels = 1, columns = 1] = size.split('x').map(Number);
    const { height, width } = gemm.pixels;
    return (
      gemm.batch *
      gemm.phases *
      Math.ceil((height * width) / pixels) *
      Math.ceil(gemm.channels / columns)
    );
  };
  const fits = (size: string): boolean => Number(size.split('x')[1]) < 2 * gemm.channels;
  const best =
    SIZES.find((size) => fits(size) && count(size) >= MANY_WORKGROUPS) ?? SIZES[SIZES.length - 1];
  const sizes = [best, ...SIZES.filter((size) => size !== best && fits(size))];
  return ['halo', 'matrix']
    .flatMap((gather) => [
      ...sizes.map((size) => `${gather}${size}`),
      ...sizes.map((size) => `${gather}${size} direct`),
    ])
    .filter((name) => matrixDesign(name, gemm, target) !== undefined);
}

/**
 * Whether matrices are the better guess than the ALU: few rows, columns or input channels would leave
 * most of each matrix empty.
 */
export const fillsMatrices = ({ pixels, channels, input }: ImplicitGemm): boolean =>
  pixels.height * pixels.width >= 16 && channels >= 16 && input.channels >= 16;
