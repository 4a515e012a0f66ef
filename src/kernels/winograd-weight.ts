/**
 * Weights of a 3×3 convolution for Winograd's F(2×2, 3×3), see winograd.ts.
 *
 *   u[4·i + j, ci, co] = (G g Gᵀ)[i, j]     g: the taps weight[·, ·, ci, co]
 *
 *   weight   [3, 3, Ci, Co]   f16 or f32, Co a multiple of 4
 *   u        [16, Ci, Co]     f16 or f32
 *
 * Runs once, when a plan is prepared. One invocation per four columns; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  type DType,
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, rowsOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
import { unroll } from './unroll.ts';
import { four, G, POINTS, transformed } from './winograd.ts';

export interface WinogradWeightInputs {
  readonly weight: TensorType;
}

export interface WinogradWeightConstants {
  /** Storage of u. @default that of weight */
  readonly dtype?: DType;
}

export function winogradWeight(
  { weight }: WinogradWeightInputs,
  { dtype = weight.dtype }: WinogradWeightConstants,
  target: Target,
): Kernel {
  const [, , ci = 0, co = 0] = weight.shape;
  expectShape('weight', weight, [3, 3, ci, co]);
  rowsOf('weight', weight);
  const vectors = (ci * co) / 4;
  const u: TensorType = { dtype, shape: [POINTS, ci, co] };
  const params = { vectors: u32(vectors) };
  return {
    name: 'winogradWeight',
    variant: `${format(weight)} → ${dtype}`,
    bindings: { weight: 1 },
    params,
    output: { binding: 2, type: u },
    workgroups: flatGrid(vectors),
    cost: { flops: 4 * vectors * 56, bytes: byteLength(weight) + byteLength(u) },
    wgsl: wgsl`
${enableF16(target, weight.dtype, dtype)}
${paramsWgsl(params)}
${readWgsl('weight', 1, weight.dtype, target)}
${writeWgsl('u', 2, dtype, target)}

// G times a column: (a, (a + b + c) / 2, (a - b + c) / 2, c).
fn transform(a: vec4f, b: vec4f, c: vec4f) -> array<vec4f, 4> {
  return array<vec4f, 4>(a, 0.5 * (a + b + c), 0.5 * (a - b + c), c);
}

fn element(i: u32) {
${unroll(3, (y) => `  let row${y} = transform(${unroll(3, (x) => `load_weight(${3 * y + x}u * params.vectors + i)`, ', ')});`)}
${four(
  (x) => `  let column${x} = transform(row0[${x}], row1[${x}], row2[${x}]);
${four((y) => `  store_u(${4 * y + x}u * params.vectors + i, column${x}[${y}]);`)}`,
)}
}
${FLAT_MAIN}
`,
  };
}

export function winogradWeightReference({
  weight,
}: {
  readonly weight: Float32Array;
}): Float32Array {
  const size = weight.length / 9; // Ci·Co
  return new Float32Array(POINTS * size).map((_, n) => {
    const [point, at] = [Math.floor(n / size), n % size];
    const tap = (y: number, x: number): number => weight[(3 * y + x) * size + at] ?? 0;
    return transformed(G, tap, point >> 2, point & 3);
  });
}
