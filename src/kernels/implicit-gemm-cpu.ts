/**
 * Implicit GEMM for CPU rasterisers, where a subgroup is one SIMD vector.
 *
 * Lanes run over pixels along x; each lane holds sums of 4 rows × 16 columns at first guess. On lavapipe
 * a load is a gather per component and one from a uniform address a branch per component; both cost far
 * more than a multiplication. So the 4×16 weights of a step are gathered together, every lane taking
 * other pairs, and reach all lanes by `subgroupBroadcast` from constant lanes, a shuffle each. Without
 * subgroups weights come from uniform addresses.
 *
 * A workgroup is one subgroup. No early return before the sums are done: it would put what follows
 * under an execution mask, and broadcasts need every lane.
 *
 * Designs are a lane's sums, `rows x vectors of four columns`: more rows read fewer weights, more columns
 * less of x, few of both stay in registers.
 */
import type { DType, Target } from '../engine/kernel.ts';
import { choose, sizeClass } from './designs.ts';
import { type ImplicitGemm, type Program, WEIGHT_BINDING } from './gemm-program.ts';
import { readWgsl } from './storage.ts';
import { unroll } from './unroll.ts';

/** The sums of one lane: rows of pixels by groups of four output columns. */
interface Sums {
  readonly rows: number;
  readonly vectors: number;
}

/** Which are good guesses: docs/decisions/0008. */
const SUMS = {
  '4x4': { rows: 4, vectors: 4 },
  '2x4': { rows: 2, vectors: 4 },
  '2x8': { rows: 2, vectors: 8 },
  '2x2': { rows: 2, vectors: 2 },
  '8x1': { rows: 8, vectors: 1 },
} as const satisfies Readonly<Record<string, Sums>>;
type Design = keyof typeof SUMS;
const DESIGNS = Object.keys(SUMS) as Design[];

/** One group of columns is all that pictures and latents have. */
const guessOf = (channels: number): Design => (channels <= 4 ? '8x1' : '4x4');

/** Input channels per step. */
const DEPTH = 4;
const LANES_WITHOUT_SUBGROUPS = 8;

/** Pairs of neighbouring columns in one row of the weights of a step. */
const pairsOf = (vectors: number): number => (vectors * 4) / 2;

function chooseSums(gemm: ImplicitGemm, lanes: number, target: Target) {
  const { x, weight, taps, pixels, channels, input } = gemm;
  const guess = guessOf(channels);
  // The lanes share the weights of a step evenly.
  const [first = '4x4', ...others] = [guess, ...DESIGNS.filter((name) => name !== guess)].filter(
    (name) => (DEPTH * pairsOf(SUMS[name].vectors)) % lanes === 0,
  );
  const choice = choose(
    sizeClass(`cpu gemm ${x.dtype} ${weight.dtype} ${taps.y}x${taps.x}`, {
      m: gemm.batch * gemm.phases * pixels.height * pixels.width,
      n: channels,
      k: taps.y * taps.x * input.channels,
    }),
    [first, ...others],
    target,
  );
  return { choice, sums: SUMS[choice.design as Design] };
}

export function cpuProgram(gemm: ImplicitGemm, target: Target): Program {
  const hasSubgroups = [4, 8, 16, 32].includes(target.subgroupSize);
  const lanes = hasSubgroups ? target.subgroupSize : LANES_WITHOUT_SUBGROUPS;
  const { choice, sums } = chooseSums(gemm, lanes, target);
  const { rows, vectors } = sums;
  const weights = (hasSubgroups ? broadcastWeights : uniformWeights)(vectors, lanes);
  const columnBlocks = Math.ceil(gemm.channels / (vectors * 4));
  return {
    enables: hasSubgroups ? 'enable subgroups;' : '',
    choice,
    columns: vectors * 4,
    workgroups: [
      Math.ceil(gemm.pixels.width / lanes),
      Math.ceil(gemm.pixels.height / rows),
      gemm.batch * gemm.phases * columnBlocks,
    ],
    wgsl: `
${(hasSubgroups ? readPairsWgsl : readWgsl)('weight', WEIGHT_BINDING, gemm.weight.dtype, target)}

@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let area = area_of(workgroup.z);
  let px = workgroup.x * ${lanes}u + lane;
  let py = workgroup.y * ${rows}u;
  let c = area.column * ${vectors}u;
${weights.setup}
${unroll(vectors, (v) => `  let initial${v} = initial(area, c + ${v}u);`)}
${unroll(rows, (r) => unroll(vectors, (v) => `  var sum${r}_${v} = initial${v};`, ''))}
  var row = area.weights; // of the weight matrix
  for (var ty = 0u; ty < params.taps_y; ty++) {
    for (var tx = 0u; tx < params.taps_x; tx++) {
      // Below zero wraps around and fails the comparison too.
      let ix = px * params.stride + tx + area.phase_x - u32(params.left);
${unroll(
  rows,
  (r) => `      let iy${r} = (py + ${r}u) * params.stride + ty + area.phase_y - u32(params.top);
      let inside${r} = iy${r} < params.in_height && ix < params.in_width;
      let at${r} = select(0u, ((area.image * params.in_height + iy${r}) * params.in_width + ix) * params.ci4, inside${r});`,
)}
      for (var k = 0u; k < params.ci4; k++) {
${weights.load}
${unroll(rows, (r) => `        let x${r} = select(vec4f(), load_input(area.image, at${r} + k, k), inside${r});`)}
${unroll(DEPTH, (d) =>
  unroll(
    vectors,
    (v) =>
      `        { let w = ${weights.element(d, v)}; ${unroll(rows, (r) => `sum${r}_${v} += x${r}[${d}] * w;`, ' ')} }`,
  ),
)}
        row += ${DEPTH}u;
      }
    }
  }
  if (px >= params.width) { return; }
${unroll(
  rows,
  (r) => `  if (py + ${r}u < params.height) {
${unroll(vectors, (v) => `    if (c + ${v}u < params.co4) { finish(area, py + ${r}u, px, c + ${v}u, sum${r}_${v}); }`)}
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

/** Pair p of row d lies in lane (d·pairs + p) mod lanes of the gathered vector of that quotient. */
function broadcastWeights(vectors: number, lanes: number): WeightAccess {
  const pairs = pairsOf(vectors);
  const gathers = (DEPTH * pairs) / lanes;
  const pair = (index: number) =>
    `subgroupBroadcast(pairs${Math.floor(index / lanes)}, ${index % lanes}u)`;
  return {
    setup: unroll(
      gathers,
      // Columns beyond the last repeat it; their sums are not stored.
      (g) => `  let slot${g} = ${g * lanes}u + lane;
  let offset${g} = (slot${g} >> ${Math.log2(pairs)}u) * params.co4 * 2u + min(c * 2u + (slot${g} & ${pairs - 1}u), params.co4 * 2u - 1u);`,
    ),
    load: `        let base = row * params.co4 * 2u;
${unroll(gathers, (g) => `        let pairs${g} = load_weight(base + offset${g});`)}`,
    element: (d, v) => `vec4f(${pair(d * pairs + 2 * v)}, ${pair(d * pairs + 2 * v + 1)})`,
  };
}

const uniformWeights = (vectors: number): WeightAccess => ({
  setup: unroll(vectors, (v) => `  let column${v} = min(c + ${v}u, params.co4 - 1u);`),
  load: '        let base = row * params.co4;',
  element: (d, v) => `load_weight(base + ${d}u * params.co4 + column${v})`,
});

/**
 * A read-only binding and `load_<name>(i: u32) -> vec2f`, i counting pairs of elements. For CPU
 * rasterisers, where every loaded component is a gather of its own: an f16 pair is one.
 */
function readPairsWgsl(name: string, binding: number, dtype: DType): string {
  const isF16 = dtype === 'f16';
  return `@group(0) @binding(${binding}) var<storage, read> ${name}: array<${isF16 ? 'u32' : 'vec2f'}>;
fn load_${name}(i: u32) -> vec2f { return ${isF16 ? `unpack2x16float(${name}[i])` : `${name}[i]`}; }`;
}
