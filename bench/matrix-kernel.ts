/**
 * Products of subgroup matrices in registers, with f32 sums: what matrix units can do at most without
 * memory.
 *
 *   c[i] ← left · right + c[i], `rounds` times over, for CHAINS independent c of every subgroup;
 *   y[workgroup, subgroup] = Σ c[i]
 *
 *   a [M, K], b [K, N] of the matrices' component, small values: sums stay finite
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { type Kernel, paramsWgsl, type SubgroupMatrix, u32 } from '../src/engine/kernel.ts';
import { MATRIX_THREADS as THREADS } from '../src/engine/matrix-candidates.ts';
import { matrixWgsl } from '../src/engine/subgroup-matrix.ts';

const CHAINS = 4;

export interface MatrixSpin {
  readonly workgroups: number;
  readonly rounds: number;
}

export function matrixKernel(kind: SubgroupMatrix, { workgroups, rounds }: MatrixSpin): Kernel {
  const params = { rounds: u32(rounds) };
  const { m, n, k, component, subgroupSize, ...matrix } = matrixWgsl({ matrix: kind });
  const subgroups = workgroups * (THREADS / subgroupSize);
  const chains = Array.from({ length: CHAINS }, (_, i) => i);
  const each = (line: (i: number) => string): string => chains.map(line).join('\n');
  return {
    name: 'matrixSpin',
    variant: `${component} ${m}x${n}x${k}`,
    bindings: { a: 1, b: 2 },
    params,
    output: { binding: 3, type: { dtype: 'f32', shape: [subgroups * CHAINS, m, n] } },
    workgroups: [workgroups, 1, 1],
    cost: {
      flops: 2 * m * n * k * CHAINS * subgroups * rounds,
      bytes: 4 * subgroups * CHAINS * m * n,
    },
    wgsl: wgsl`
#if ${component === 'f16'}
enable f16;
#endif
${matrix.enables}
${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> a: array<${matrix.vector}>;
@group(0) @binding(2) var<storage, read> b: array<${matrix.vector}>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(${THREADS}) ${matrix.pin}
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(subgroup_id) subgroup: u32) {
  let left = ${matrix.left('a', '0u', `${k / 4}u`)};
  let right = ${matrix.right('row', 'b', '0u', `${n / 4}u`)};
${each((i) => `  var c${i} = ${matrix.result}();`)}
  for (var round = 0u; round < params.rounds; round++) {
${each((i) => `    c${i} = subgroupMatrixMultiplyAccumulate(left, right, c${i});`)}
  }
  let at = (workgroup.x * ${THREADS / subgroupSize}u + subgroup) * ${CHAINS * m * n}u;
${each((i) => `  subgroupMatrixStore<row_major>(&y, at + ${i * m * n}u, c${i}, ${n}u);`)}
}
`,
  };
}

/** The tensors that {@link matrixKernel} reads. */
export const matrixInputs = ({ m, n, k, component: dtype }: SubgroupMatrix) =>
  ({ a: { dtype, shape: [m, k] }, b: { dtype, shape: [k, n] } }) as const;
