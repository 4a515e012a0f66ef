/**
 * The words of WGSL for subgroup matrices of one kind. Tiles are arrays of vec4s: offsets and strides
 * count those.
 */
import type { SubgroupMatrix, Target } from './kernel.ts';

/** Where a matrix begins in an array, and how far its rows lie apart. */
export type MatrixPlace = readonly [array: string, offset: string, stride: string];

export interface MatrixWgsl extends SubgroupMatrix {
  /** Directives, after `enable f16;`. */
  readonly enables: string;
  /** Attribute of `main`, beside its workgroup size; empty where no size is asked for. */
  readonly pin: string;
  /** Four operands in a row: what arrays that are loaded from consist of. */
  readonly vector: 'vec4<f16>' | 'vec4f';
  /** [m, k] of an array, by rows. */
  readonly left: (...at: MatrixPlace) => string;
  /** [k, n]; `col`: the array has columns in a row. */
  readonly right: (major: 'row' | 'col', ...at: MatrixPlace) => string;
  /** Type of [m, n] in f32; called without arguments, it is zero. */
  readonly result: string;
  readonly loadResult: (...at: MatrixPlace) => string;
}

/** In place of none, for text that nobody uses. */
const NONE: SubgroupMatrix = {
  m: 16,
  n: 16,
  k: 16,
  component: 'f16',
  subgroupSize: 32,
  isPinned: false,
};

/** Throws nothing, not even without matrices. */
export function matrixWgsl({ matrix = NONE }: Pick<Target, 'matrix'>): MatrixWgsl {
  const { m, n, k, component, subgroupSize, isPinned } = matrix;
  const load =
    (type: string, major: string) =>
    (...[array, offset, stride]: MatrixPlace) =>
      `subgroupMatrixLoad<${type}, ${major}_major>(&${array}, ${offset}, ${stride})`;
  const result = `subgroup_matrix_result<f32, ${n}, ${m}>`;
  return {
    ...matrix,
    enables: `enable subgroups;
enable chromium_experimental_subgroup_matrix;
${isPinned ? 'enable subgroup_size_control;' : ''}
diagnostic(off, chromium.subgroup_matrix_uniformity);`,
    pin: isPinned ? `@subgroup_size(${subgroupSize})` : '',
    vector: component === 'f16' ? 'vec4<f16>' : 'vec4f',
    left: load(`subgroup_matrix_left<${component}, ${k}, ${m}>`, 'row'),
    right: (major, ...at) => load(`subgroup_matrix_right<${component}, ${n}, ${k}>`, major)(...at),
    result,
    loadResult: load(result, 'row'),
  };
}
