/**
 * Implicit GEMM for CPU rasterisers, where a subgroup is one SIMD vector.
 *
 * Lanes run over pixels along x; each lane holds 2 rows × 16 columns of sums. On lavapipe a load is
 * a gather per component and one from a uniform address a branch per component; both cost far more
 * than a multiplication. So the 4×16 weights of a step are gathered together, every lane taking
 * other pairs, and reach all lanes by `subgroupBroadcast` from constant lanes, a shuffle each.
 * Without subgroups weights come from uniform addresses.
 *
 * A workgroup is one subgroup. No early return before the sums are done: it would put what follows
 * under an execution mask, and broadcasts need every lane. Taller or wider blocks of sums do not
 * fit the vector registers and take longer to compile than they save.
 */
import type { Target } from '../engine/kernel.ts';
import { type ImplicitGemm, type Program, WEIGHT_BINDING } from './gemm-program.ts';
import { readPairsWgsl, readWgsl } from './storage.ts';
import { unroll } from './unroll.ts';

const ROWS = 2;
/** Groups of four output columns per lane. */
const VECTORS = 4;
/** Input channels per step. */
const DEPTH = 4;
/** Pairs of neighbouring columns in one row of the weights of a step. */
const PAIRS = (VECTORS * 4) / 2;
const LANES_WITHOUT_SUBGROUPS = 8;

export function cpuProgram(gemm: ImplicitGemm, target: Target): Program {
  const hasSubgroups = [4, 8, 16, 32].includes(target.subgroupSize);
  const lanes = hasSubgroups ? target.subgroupSize : LANES_WITHOUT_SUBGROUPS;
  const weights = hasSubgroups ? broadcastWeights(lanes) : UNIFORM_WEIGHTS;
  const columnBlocks = Math.ceil(gemm.channels / (VECTORS * 4));
  return {
    enables: hasSubgroups ? 'enable subgroups;' : '',
    columns: VECTORS * 4,
    workgroups: [
      Math.ceil(gemm.pixels.width / lanes),
      Math.ceil(gemm.pixels.height / ROWS),
      gemm.batch * gemm.phases * columnBlocks,
    ],
    wgsl: `
${(hasSubgroups ? readPairsWgsl : readWgsl)('weight', WEIGHT_BINDING, gemm.weight.dtype, target)}

@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = block_of(workgroup.z);
  let px = workgroup.x * ${lanes}u + lane;
  let py = workgroup.y * ${ROWS}u;
  let c = block.column * ${VECTORS}u;
${weights.setup}
${unroll(VECTORS, (v) => `  let initial${v} = initial(block, c + ${v}u);`)}
${unroll(ROWS, (r) => unroll(VECTORS, (v) => `  var sum${r}_${v} = initial${v};`, ''))}
  var row = block.weights; // of the weight matrix
  for (var ty = 0u; ty < params.taps_y; ty++) {
    for (var tx = 0u; tx < params.taps_x; tx++) {
      // Below zero wraps around and fails the comparison too.
      let ix = px * params.stride + tx + block.phase_x - u32(params.left);
${unroll(
  ROWS,
  (r) => `      let iy${r} = (py + ${r}u) * params.stride + ty + block.phase_y - u32(params.top);
      let inside${r} = iy${r} < params.in_height && ix < params.in_width;
      let at${r} = select(0u, ((block.image * params.in_height + iy${r}) * params.in_width + ix) * params.ci4, inside${r});`,
)}
      for (var k = 0u; k < params.ci4; k++) {
${weights.load}
${unroll(ROWS, (r) => `        let x${r} = select(vec4f(), load_input(block.image, at${r} + k, k), inside${r});`)}
${unroll(DEPTH, (d) =>
  unroll(
    VECTORS,
    (v) =>
      `        { let w = ${weights.element(d, v)}; ${unroll(ROWS, (r) => `sum${r}_${v} += x${r}[${d}] * w;`, ' ')} }`,
  ),
)}
        row += ${DEPTH}u;
      }
    }
  }
  if (px >= params.width) { return; }
${unroll(
  ROWS,
  (r) => `  if (py + ${r}u < params.height) {
${unroll(VECTORS, (v) => `    if (c + ${v}u < params.co4) { finish(block, py + ${r}u, px, c + ${v}u, sum${r}_${v}); }`)}
  }`,
)}
}
`,
  };
}

interface WeightAccess {
  /** Before the loops. */
  readonly setup: string;
  /** Once per step. */
  readonly load: string;
  /** Columns v of row d of the step as `vec4f`. */
  readonly element: (d: number, v: number) => string;
}

/** Pair p of row d lies in lane (d·PAIRS + p) mod lanes of the gathered vector of that quotient. */
function broadcastWeights(lanes: number): WeightAccess {
  const gathers = (DEPTH * PAIRS) / lanes;
  const pair = (index: number) =>
    `subgroupBroadcast(pairs${Math.floor(index / lanes)}, ${index % lanes}u)`;
  return {
    setup: unroll(
      gathers,
      // Columns beyond the last repeat it; their sums are not stored.
      (g) => `  let slot${g} = ${g * lanes}u + lane;
  let offset${g} = (slot${g} >> 3u) * params.co4 * 2u + min(c * 2u + (slot${g} & 7u), params.co4 * 2u - 1u);`,
    ),
    load: `        let base = row * params.co4 * 2u;
${unroll(gathers, (g) => `        let pairs${g} = load_weight(base + offset${g});`)}`,
    element: (d, v) => `vec4f(${pair(d * PAIRS + 2 * v)}, ${pair(d * PAIRS + 2 * v + 1)})`,
  };
}

const UNIFORM_WEIGHTS: WeightAccess = {
  setup: unroll(VECTORS, (v) => `  let column${v} = min(c + ${v}u, params.co4 - 1u);`),
  load: '        let base = row * params.co4;',
  element: (d, v) => `load_weight(base + ${d}u * params.co4 + column${v})`,
};
