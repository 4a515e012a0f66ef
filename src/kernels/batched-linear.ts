/**
 * Products of matrices in pairs.
 *
 *   y[b, m, n] = Σ over k of x[b, m, k] · weight[b, k, n]
 *
 *   x        [B, M, K]   f16 or f32
 *   weight   [B, K, N]   f16 or f32, N contiguous
 *   y        [B, M, N]   f16 or f32
 *
 * K and N are multiples of 4. Every pair is an image of M pixels with weights of its own, 2·M·K·N
 * operations: see implicit-gemm.ts.
 */
import {
  type DType,
  expectShape,
  format,
  type Kernel,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
} from '../engine/kernel.ts';
import { plainType } from './gemm-program.ts';
import { implicitGemm } from './implicit-gemm.ts';

export interface BatchedLinearInputs {
  readonly x: TensorType;
  readonly weight: TensorType;
}

export interface BatchedLinearConstants {
  /** Storage of y. @default that of x */
  readonly dtype?: DType;
}

export function batchedLinear(
  { x, weight }: BatchedLinearInputs,
  { dtype = x.dtype }: BatchedLinearConstants,
  target: Target,
): Kernel {
  const [batch = 0, rows = 0, inner = 0] = x.shape;
  const { plain, blocks } = plainType(weight, 3);
  const columns = plain.shape.at(-1) ?? 0;
  expectShape('x', x, [batch, rows, inner]);
  expectShape('weight', plain, [batch, inner, columns]);
  if (sizeOf(x.shape) === 0) throw new ShapeError(`x is ${format(x)}, expected at least one row`);
  const image = { height: 1, width: rows };
  return implicitGemm(
    {
      name: 'batchedLinear',
      x,
      weight,
      blocks,
      epilogue: {},
      activation: 'none',
      output: { dtype, shape: [batch, rows, columns] },
      batch,
      input: { ...image, channels: inner },
      pixels: image,
      channels: columns,
      taps: { y: 1, x: 1 },
      stride: 1,
      padding: { top: 0, left: 0 },
      phases: 1,
      weightsPerImage: true,
    },
    target,
  );
}

export function batchedLinearReference(
  { x, weight }: { readonly x: Float32Array; readonly weight: Float32Array },
  [batch = 0, rows = 0, inner = 0]: readonly number[],
): Float32Array {
  const columns = weight.length / (batch * inner);
  return new Float32Array(batch * rows * columns).map((_, i) => {
    const row = Math.floor(i / columns);
    const matrix = Math.floor(row / rows) * inner;
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += (x[row * inner + k] ?? 0) * (weight[(matrix + k) * columns + (i % columns)] ?? 0);
    }
    return sum;
  });
}
