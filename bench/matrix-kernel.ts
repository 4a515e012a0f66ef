/**
 * Products of subgroup matrices in registers, f16 · f16 → f32: what matrix units can do at most
 * without memory.
 *
 *   c[i] ← left · right + c[i], `rounds` times over, for CHAINS independent c of every subgroup;
 *   y[workgroup, subgroup] = Σ c[i]
 *
 *   a [M, K], b [K, N] f16, small values: sums stay finite
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  type Kernel,
  MATRIX_ENABLES,
  type MatrixShape,
  paramsWgsl,
  u32,
} from '../src/engine/kernel.ts';

const SUBGROUPS = 4;
const CHAINS = 4;

export interface MatrixSpin {
  readonly workgroups: number;
  readonly rounds: number;
  /** Invocations of the largest subgroup: a workgroup is a whole number of those. */
  readonly subgroupSize: number;
}

export function matrixKernel(
  { m, n, k }: MatrixShape,
  { workgroups, rounds, subgroupSize }: MatrixSpin,
): Kernel {
  const params = { rounds: u32(rounds) };
  const chains = Array.from({ length: CHAINS }, (_, i) => i);
  const each = (line: (i: number) => string): string => chains.map(line).join('\n');
  const result = `subgroup_matrix_result<f32, ${n}, ${m}>`;
  return {
    name: 'matrixSpin',
    variant: `${m}x${n}x${k}`,
    bindings: { a: 1, b: 2 },
    params,
    output: { binding: 3, type: { dtype: 'f32', shape: [workgroups * SUBGROUPS * CHAINS, m, n] } },
    workgroups: [workgroups, 1, 1],
    cost: {
      flops: 2 * m * n * k * CHAINS * SUBGROUPS * workgroups * rounds,
      bytes: 4 * workgroups * SUBGROUPS * CHAINS * m * n,
    },
    wgsl: wgsl`
enable f16;
${MATRIX_ENABLES}
${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> a: array<f16>;
@group(0) @binding(2) var<storage, read> b: array<f16>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(${SUBGROUPS * subgroupSize})
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(subgroup_id) subgroup: u32) {
  let left = subgroupMatrixLoad<subgroup_matrix_left<f16, ${k}, ${m}>, row_major>(&a, 0u, ${k}u);
  let right = subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, row_major>(&b, 0u, ${n}u);
${each((i) => `  var c${i} = ${result}();`)}
  for (var round = 0u; round < params.rounds; round++) {
${each((i) => `    c${i} = subgroupMatrixMultiplyAccumulate(left, right, c${i});`)}
  }
  let at = (workgroup.x * ${SUBGROUPS}u + subgroup) * ${CHAINS * m * n}u;
${each((i) => `  subgroupMatrixStore<row_major>(&y, at + ${i * m * n}u, c${i}, ${n}u);`)}
}
`,
  };
}

/** The tensors that {@link matrixKernel} reads. */
export const matrixInputs = ({ m, n, k }: MatrixShape) =>
  ({ a: { dtype: 'f16', shape: [m, k] }, b: { dtype: 'f16', shape: [k, n] } }) as const;
