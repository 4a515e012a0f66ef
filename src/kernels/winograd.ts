/**
 * Convolution 3×3 by Winograd's F(2×2, 3×3): 16 products for four output pixels where the direct sum
 * has 36. Three kernels around a batched product (graph/product-nodes.ts puts them together):
 *
 *   u[4·i + j] = (G g Gᵀ)[i, j]       winogradWeight   g: the 3×3 taps of a channel pair
 *   v[4·i + j] = (Bᵀ d B)[i, j]       winogradInput    d: the 4×4 pixels around a tile of 2×2
 *   m[p]       = v[p] · u[p]          batchedLinear    over input channels, p = 0 to 15
 *   y          = act(Aᵀ m A + bias + shift) + residual   winogradOutput
 *
 *        1  0 -1  0          1   0   0
 *   Bᵀ = 0  1  1  0     G =  ½   ½   ½     Aᵀ = 1  1  1  0
 *        0 -1  1  0          ½  -½   ½          0  1 -1 -1
 *        0  1  0 -1          0   0   1
 *
 *   x       [N, H, W, Ci]        f16 or f32
 *   weight  [3, 3, Ci, Co]       f16 or f32      u   [16, Ci, Co]   f16 or f32
 *   v       [16, N·⌈Ho/2⌉·⌈Wo/2⌉, Ci]            m   [16, N·⌈Ho/2⌉·⌈Wo/2⌉, Co]
 *   bias?   [Co] f32;  shift? [N or 1, Co] f32;  residual? and y [N, Ho, Wo, Co]
 *
 * Each transform is bound by memory: one invocation per tile and four channels, all 16 values in
 * registers. v and m take 4 times the bytes of x and y each, so this can pay only where channels are
 * many (the products grow with their square) and the ALUs are the limit; expected from 256 channels
 * on and not measured, hence never a first guess. What it costs in accuracy: docs/numerics.md.
 */
import type { DType, TensorType } from '../engine/kernel.ts';
import { unroll } from './unroll.ts';

/** Products per tile: 4×4. */
export const POINTS = 16;

/** Tiles of 2×2 that cover the output. */
export const tilesOf = (height: number, width: number): { rows: number; columns: number } => ({
  rows: Math.ceil(height / 2),
  columns: Math.ceil(width / 2),
});

/** All in between is stored like x: transformed weights in f16 would cost an f32 plan its accuracy. */
export const storageOf = ({ dtype }: TensorType): DType => (dtype === 'f16' ? 'f16' : 'f32');

/** v, m: of `channels` channels, for an output y. */
export function pointsType(
  { shape: [n = 0, h = 0, w = 0] }: TensorType,
  channels: number,
  dtype: DType,
): TensorType {
  const { rows, columns } = tilesOf(h, w);
  return { dtype, shape: [POINTS, n * rows * columns, channels] };
}

export const four = (make: (i: number) => string, separator = '\n'): string =>
  unroll(4, make, separator);

type Matrix = readonly (readonly number[])[];

/** For the references; the kernels write the sums out. */
export const B: Matrix = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
export const G: Matrix = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
];
export const A: Matrix = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];

/** (T d Tᵀ)[i, j] in f64. */
export function transformed(
  t: Matrix,
  d: (y: number, x: number) => number,
  i: number,
  j: number,
): number {
  let sum = 0;
  for (const [y, a] of (t[i] ?? []).entries()) {
    for (const [x, b] of (t[j] ?? []).entries()) if (a * b !== 0) sum += a * b * d(y, x);
  }
  return sum;
}
