/**
 * Attention on subgroup matrices, f16, for wide heads such as the VAE's single one of 512 channels:
 * four subgroups share a head's channels, a quarter each, and as many queries as a subgroup has lanes.
 *
 *   scores   each subgroup sums over its channels, 32 keys at a time; the four sums meet in shared
 *            memory
 *   softmax  row `lane`, a quarter of the keys for each subgroup; maxima meet in shared memory.
 *            Probabilities are f16
 *   output   each subgroup its channels, in matrices of f32 sums, rescaled as in attention-matrix.ts
 *
 * A channel of q, k and v is one subgroup's alone, so nothing would be gained by staging them: matrices
 * are loaded from global memory. For lengths that are multiples of the tile only, and rows of whole 16
 * bytes (attention-matrix.ts says why); q is read anew for each tile, its matrices would take the
 * output's registers.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { matrixWgsl } from '../engine/subgroup-matrix.ts';
import { canMultiply, TILE } from './attention-matrix.ts';
import {
  type AttentionDesign,
  type AttentionSpec,
  basesWgsl,
  bindingsWgsl,
  MASKED,
} from './attention-spec.ts';
import { unroll } from './unroll.ts';

/** Wider heads would need more registers for their output than there are. */
const MAX_HEAD = 512;
/** More rows would need more than 32 KiB of shared memory. */
const MAX_ROWS = 32;
const SUBGROUPS = 4;
const SCORE_PITCH = TILE / 4 + 1;
const P_PITCH = TILE / 4 + 2;

/** `wide`, where it applies. */
export function wideDesigns(spec: AttentionSpec, queries: number): readonly string[] {
  const { headDim, keys, causal, params, target } = spec;
  const rows = target.matrix?.subgroupSize ?? 0;
  if (!canMultiply(spec) || causal || rows > MAX_ROWS) return [];
  if (headDim > MAX_HEAD || headDim % (SUBGROUPS * TILE) !== 0) return [];
  const isAligned = ['q_row', 'k_row', 'v_row', 'q_at', 'k_at', 'v_at'].every(
    (name) => (params[name]?.value ?? 0) % 2 === 0, // vectors of 8 bytes
  );
  return isAligned && keys % TILE === 0 && queries % rows === 0 ? ['wide'] : [];
}

export function attentionMatrixWide(spec: AttentionSpec): AttentionDesign {
  const { headDim, target } = spec;
  const matrix = matrixWgsl(target);
  const { m, n, k, subgroupSize: rows } = matrix;
  const bands = rows / m;
  const channels = headDim / SUBGROUPS; // of one subgroup

  // Names: band of rows r, columns g of scores, c of the output.
  const eachBand = (make: (r: number) => string) => unroll(bands, make);
  const eachScore = (make: (r: number, g: number) => string) =>
    eachBand((r) => unroll(TILE / n, (g) => make(r, g)));
  const eachOutput = (make: (r: number, c: number) => string) =>
    eachBand((r) => unroll(channels / n, (c) => make(r, c)));
  /** Where a band begins in the subgroup's own part of `score_tile`. */
  const scoreAt = (r: number, column: number) => `scores_at + ${r * m * SCORE_PITCH + column / 4}u`;
  const putScore = (value: string, r: number, column: number) =>
    `subgroupMatrixStore<row_major>(&score_tile, ${scoreAt(r, column)}, ${value}, ${SCORE_PITCH}u);`;
  const strips = channels / TILE;
  const eachOfStrip = (strip: number, make: (r: number, c: number, column: number) => string) =>
    eachBand((r) => unroll(TILE / n, (i) => make(r, strip * (TILE / n) + i, i * n)));
  const putStrip = (strip: number) =>
    eachOfStrip(strip, (r, c, column) => putScore(`o${r}_${c}`, r, column));

  const scores = `
    for (var c = 0u; c < ${channels / 4}u; c += ${k / 4}u) {
${eachBand((r) => `      let q${r} = ${matrix.left('q', `q_at + ${r * m}u * params.q_row + c`, 'params.q_row')};`)}
${unroll(
  TILE / n,
  (g) => `      {
        let b = ${matrix.right('col', 'k', `k_at + (j + ${g * n}u) * params.k_row + c`, 'params.k_row')};
${eachBand((r) => `        s${r}_${g} = subgroupMatrixMultiplyAccumulate(q${r}, b, s${r}_${g});`)}
      }`,
)}
    }
${eachScore((r, g) => `    ${putScore(`s${r}_${g}`, r, g * n)}`)}
    if (thread == 0u) { atomicStore(&grown, 0u); }
    workgroupBarrier();`;

  // A quarter of the tile's keys: two vec4s.
  const sumOfParts = (i: number) =>
    Array.from(
      { length: SUBGROUPS },
      (_, part) => `score_tile[${part}u * ROWS * ${SCORE_PITCH}u + own_at + ${i}u]`,
    ).join(' + ');
  const told = (combine: (a: string, b: string) => string) =>
    Array.from({ length: SUBGROUPS }, (_, part) => `parts[${part}u * ROWS + lane]`).reduce(combine);
  const softmax = `
    let s0 = ${sumOfParts(0)};
    let s1 = ${sumOfParts(1)};
    let high = max(s0, s1);
    parts[subgroup * ROWS + lane] = max(max(high.x, high.y), max(high.z, high.w));
    workgroupBarrier();
    let tile_max = ${told((a, b) => `max(${a}, ${b})`)};
    let grows = params.scale * (tile_max - row_max) > GROWTH;
    let next = select(row_max, tile_max, grows);
    let decay = exp2(params.scale * (row_max - next));
    row_max = next;
    let e0 = exp2(params.scale * (s0 - next));
    let e1 = exp2(params.scale * (s1 - next));
    p_tile[lane * ${P_PITCH}u + subgroup * 2u] = vec4<f16>(e0);
    p_tile[lane * ${P_PITCH}u + subgroup * 2u + 1u] = vec4<f16>(e1);
    row_sum = row_sum * decay + dot(e0 + e1, vec4f(1));
    if (grows && j > 0u) { atomicStore(&grown, 1u); }`;

  const rescale = (strip: number) => `
${putStrip(strip)}
      workgroupBarrier();
      for (var i = 0u; i < ${TILE / 4}u; i++) { score_tile[scores_at + lane * ${SCORE_PITCH}u + i] *= decay; }
      workgroupBarrier();
${eachOfStrip(
  strip,
  (r, c, column) =>
    `      o${r}_${c} = ${matrix.loadResult('score_tile', scoreAt(r, column), `${SCORE_PITCH}u`)};`,
)}
      workgroupBarrier();`;

  const values = unroll(
    TILE / k,
    (t) => `    {
${eachBand((r) => `      let p${r} = ${matrix.left('p_tile', `${r * m * P_PITCH + (t * k) / 4}u`, `${P_PITCH}u`)};`)}
${unroll(
  channels / n,
  (c) => `      {
        let b = ${matrix.right('row', 'v', `v_at + (j + ${t * k}u) * params.v_row + ${(c * n) / 4}u`, 'params.v_row')};
${eachBand((r) => `        o${r}_${c} = subgroupMatrixMultiplyAccumulate(p${r}, b, o${r}_${c});`)}
      }`,
)}
    }`,
  );

  const write = (strip: number) => `
${putStrip(strip)}
  workgroupBarrier();
  for (var i = 0u; i < ${TILE / 4}u; i++) {
    store_y(y_at + lane * params.y_row + ${(strip * TILE) / 4}u + i, score_tile[scores_at + lane * ${SCORE_PITCH}u + i] * inverse);
  }
  workgroupBarrier();`;

  return {
    queriesPerWorkgroup: rows,
    wgsl: wgsl`
enable f16;
${matrix.enables}
${bindingsWgsl(spec)}
const ROWS: u32 = ${rows};
const GROWTH: f32 = 8;

var<workgroup> score_tile: array<vec4f, ${SUBGROUPS * rows * SCORE_PITCH}>;   // [subgroup][query][key]
var<workgroup> p_tile: array<vec4<f16>, ${rows * P_PITCH}>;
var<workgroup> parts: array<f32, ${SUBGROUPS * rows}>;
var<workgroup> grown: atomic<u32>;

@compute @workgroup_size(${SUBGROUPS * rows}) ${matrix.pin}
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  ${basesWgsl('params.head_vectors')}
  let first = workgroup.x * ROWS;
  let channel = subgroup * ${channels / 4}u;
  let q_at = q_base + first * params.q_row + channel;
  let k_at = k_base + channel;
  let v_at = v_base + channel;
  let y_at = y_base + first * params.y_row + channel;
  let scores_at = subgroup * ROWS * ${SCORE_PITCH}u;
  let own_at = lane * ${SCORE_PITCH}u + subgroup * 2u;
  var row_max = ${MASKED};
  var row_sum = 0f;
${eachOutput((r, c) => `  var o${r}_${c} = ${matrix.result}();`)}
  for (var j = 0u; j < params.keys; j += ${TILE}u) {
${eachScore((r, g) => `    var s${r}_${g} = ${matrix.result}();`)}
${scores}
${softmax}
    if (workgroupUniformLoad(&grown) != 0u) {
${unroll(strips, rescale)}
    }
${values}
  }
  workgroupBarrier();
  parts[subgroup * ROWS + lane] = row_sum;
  workgroupBarrier();
  let inverse = 1f / (${told((a, b) => `${a} + ${b}`)});
${unroll(strips, write)}
}
`,
  };
}
