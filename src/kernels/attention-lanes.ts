/**
 * Attention for CPU rasterisers: one subgroup (SIMD vector) per workgroup, one query per lane.
 *
 * lavapipe turns every buffer load into one scalar load per lane, uniform address or not, so keys
 * are loaded once per subgroup, one key per lane, and handed round by `subgroupShuffle`: a block
 * of S keys costs d/4 loads for S·d/4·ROWS products. f16 is half the loads and converts S keys at a
 * time. Everything indexes by constants and is unrolled in the text: dynamic indices of private
 * arrays would again be one scalar access per lane. `head_dim` decides the JIT time, hence ROWS.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  type AttentionDesign,
  type AttentionSpec,
  basesWgsl,
  bindingsWgsl,
  MASKED,
} from './attention-spec.ts';
import { enableF16 } from './storage.ts';
import { unroll } from './unroll.ts';

/** The unrolled text, and with it the JIT time, grows with the head; wider ones use tiles. */
export const MAX_LANE_HEAD = 64;

/** Keys per block where the subgroup is wider than any CPU's. */
const MAX_BLOCK = 8;

// Names carry the query row r, the vec4 of channels c, the key i of the block: s1_7, y0_11.
const loadQuery = (r: number, c: number) =>
  `let q${r}_${c} = params.scale * load_q(q_at${r} + ${c}u); var y${r}_${c} = vec4f();`;
const addScore = (c: number, i: number, r: number) => `s${r}_${i} += dot(q${r}_${c}, k${i});`;
// A block's values are summed by themselves: 16,384 keys added one by one would cost f32 a digit.
const addValue = (c: number, i: number, r: number) =>
  i === 0 ? `var b${r}_${c} = p${r}_0 * v0;` : `b${r}_${c} += p${r}_${i} * v${i};`;

export function attentionLanes(spec: AttentionSpec): AttentionDesign {
  const { headDim, causal, dtype, kvDtype, target } = spec;
  const lanes = target.subgroupSize;
  const block = Math.min(MAX_BLOCK, lanes);
  const vectors = headDim / 4;
  // Two queries per lane share each load and shuffle, but double the text and its JIT time.
  const rows = headDim <= 16 ? 2 : 1;

  // Causal: the loop ends at the workgroup's last query, and each query masks the keys after it,
  // which are all that could lie past the end.
  const end = causal ? 'min(params.keys, (workgroup.x + 1u) * ROWS * LANES)' : 'params.keys';
  const scoreOf = (r: number, i: number) =>
    causal
      ? `var s${r}_${i} = select(0f, ${MASKED}, j + ${i}u > row${r});`
      : `var s${r}_${i} = subgroupShuffle(mask, ${i}u);`;

  const softmax = (r: number) => `
    let next${r} = ${Array.from({ length: block }, (_, i) => i).reduce((text, i) => `max(${text}, s${r}_${i})`, `max${r}`)};
    let decay${r} = exp2(max${r} - next${r});
    max${r} = next${r};
    ${unroll(block, (i) => `let p${r}_${i} = exp2(s${r}_${i} - next${r});`)}
    sum${r} = sum${r} * decay${r} + (${unroll(block, (i) => `p${r}_${i}`, ' + ')});`;

  return {
    queriesPerWorkgroup: lanes * rows,
    wgsl: wgsl`
${enableF16(target, dtype, kvDtype)}
enable subgroups;
// Control flow is uniform: every lane of the only subgroup sees the same number of keys.
diagnostic(off, subgroup_uniformity);
${bindingsWgsl(spec)}
const LANES: u32 = ${lanes};
const BLOCK: u32 = ${block};
const ROWS: u32 = ${rows};
const VECTORS: u32 = ${vectors};

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  ${basesWgsl('VECTORS')}
${unroll(
  rows,
  (r) => `
  let row${r} = (workgroup.x * ROWS + ${r}u) * LANES + lane;
  let q_at${r} = q_base + min(row${r}, last_query) * params.q_row;
  let y_at${r} = y_base + row${r} * params.y_row;
  var max${r} = ${MASKED};
  var sum${r} = 0f;
  ${unroll(vectors, (c) => loadQuery(r, c))}`,
)}
  for (var j = 0u; j < ${end}; j += BLOCK) {
    let key = j + lane % BLOCK;
    let k_at = k_base + min(key, last_key) * params.k_row;
    let v_at = v_base + min(key, last_key) * params.v_row;
    let mask = select(0f, ${MASKED}, key > last_key);
    ${unroll(block, (i) => unroll(rows, (r) => scoreOf(r, i)))}
${unroll(
  vectors,
  (c) => `    {
      let k = load_k(k_at + ${c}u);
      ${unroll(block, (i) => `let k${i} = subgroupShuffle(k, ${i}u); ${unroll(rows, (r) => addScore(c, i, r))}`)}
    }`,
)}
${unroll(rows, softmax)}
${unroll(
  vectors,
  (c) => `    {
      let v = load_v(v_at + ${c}u);
      ${unroll(block, (i) => `let v${i} = subgroupShuffle(v, ${i}u); ${unroll(rows, (r) => addValue(c, i, r))}`)}
      ${unroll(rows, (r) => `y${r}_${c} = y${r}_${c} * decay${r} + b${r}_${c};`)}
    }`,
)}
  }
${unroll(
  rows,
  (r) => `
  if (row${r} < params.queries) {
    let inverse = 1.0 / sum${r};
    ${unroll(vectors, (c) => `store_y(y_at${r} + ${c}u, y${r}_${c} * inverse);`)}
  }`,
)}
}
`,
  };
}
