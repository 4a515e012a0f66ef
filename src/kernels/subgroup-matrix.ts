/**
 * The words of WGSL for subgroup matrices of one shape, f16 · f16 → f32. Tiles are arrays of vec4s:
 * offsets and strides count those.
 */
import type { MatrixShape, Target } from '../engine/kernel.ts';

export interface MatrixWgsl extends MatrixShape {
  /** [m, k] of an array of f16, by rows. */
  readonly left: (array: string, offset: string, stride: string) => string;
  /** [k, n]; `col`: the array has columns in a row. */
  readonly right: (major: 'row' | 'col', array: string, offset: string, stride: string) => string;
  /** Type of [m, n] in f32; called without arguments, it is zero. */
  readonly result: string;
  readonly loadResult: (array: string, offset: string, stride: string) => string;
}

/** Throws nothing: without matrices it is text that nobody uses. */
export function matrixWgsl({
  matrix = { m: 16, n: 16, k: 16 },
}: Pick<Target, 'matrix'>): MatrixWgsl {
  const { m, n, k } = matrix;
  const load = (type: string, major: string) => (array: string, offset: string, stride: string) =>
    `subgroupMatrixLoad<${type}, ${major}_major>(&${array}, ${offset}, ${stride})`;
  const result = `subgroup_matrix_result<f32, ${n}, ${m}>`;
  return {
    m,
    n,
    k,
    left: load(`subgroup_matrix_left<f16, ${k}, ${m}>`, 'row'),
    right: (major, ...at) => load(`subgroup_matrix_right<f16, ${n}, ${k}>`, major)(...at),
    result,
    loadResult: load(result, 'row'),
  };
}
