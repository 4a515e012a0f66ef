/**
 * Attention for CPU rasterisers: a workgroup is one subgroup (SIMD vector), whose lanes have ROWS queries
 * each and walk the keys 128 at a time. Nothing is shared but what is loaded.
 *
 *   scores   ROWS queries × 16 keys in registers, summed over the channels; into `p`
 *   softmax  each lane its own queries
 *   output   ROWS queries × 16 channels in registers, summed over the block's keys; into `y`
 *
 * On lavapipe a load costs far more than a multiplication: see implicit-gemm-cpu.ts. So the 16 vec4s of
 * keys or values of a step are gathered together, every lane taking others, and reach all lanes by
 * `subgroupBroadcast` from constant lanes, as weights do there.
 *
 * `p` and `y` are arrays in memory, since they are indexed by loop counters; both products read or write
 * them once per step or block. That they begin as zeros is a store per element in the text that
 * lavapipe compiles, so wide heads have two queries per lane (`lanes2`). Others may have four
 * (`lanes4`): half as many reads of keys and values, but twice the text.
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

/** Of the sums in registers: four vec4s of keys or channels. A step of either product is four deep. */
const VECTORS = 4;
const WIDTH = 4 * VECTORS;
/** Keys between two looks at the maximum; their values are summed by themselves. */
const BLOCK = 128;

/** Channels of a head up to which `y` of four queries per lane is small. */
const MAX_TALL_HEAD = 64;

const softmax = (r: number): string => `
    let decay${r} = exp2(max${r} - next${r});
    max${r} = next${r};
    var parts${r} = vec4f();
    for (var i = 0u; i < steps; i++) {
      let e = exp2(p[i * ROWS + ${r}u] - max${r});
      p[i * ROWS + ${r}u] = e;
      parts${r} += e;
    }
    sum${r} = sum${r} * decay${r} + ((parts${r}.x + parts${r}.y) + (parts${r}.z + parts${r}.w));`;

/** Designs for these shapes, the best guess first: the other one takes longer to compile. */
export const lanesDesigns = ({ headDim }: AttentionSpec): readonly [string, ...string[]] =>
  headDim > MAX_TALL_HEAD ? ['lanes2'] : ['lanes2', 'lanes4'];

export function attentionLanes(spec: AttentionSpec, design: string): AttentionDesign {
  const { headDim, causal, dtype, kvDtype, target } = spec;
  const lanes = target.subgroupSize;
  const rows = design === 'lanes4' ? 4 : 2;
  const groups = Math.ceil(headDim / WIDTH);

  // Names: query row r, vec4 v of keys or channels, gather g.
  const eachRow = (make: (r: number) => string) => unroll(rows, make);
  const eachSum = (make: (r: number, v: number) => string) =>
    eachRow((r) => unroll(VECTORS, (v) => make(r, v)));
  /** One multiplication for each row. */
  const addTo = (v: number, make: (r: number) => string) =>
    unroll(rows, (r) => `s${r}_${v} += ${make(r)};`, ' ');
  const eachGather = (make: (g: number) => string) => unroll(Math.ceil(WIDTH / lanes), make);
  /** Vector i of the 16 that the lanes gathered. */
  const gathered = (i: number) =>
    `subgroupBroadcast(gathered${Math.floor(i / lanes)}, ${i % lanes}u)`;

  // Causal: the loop ends at the workgroup's last query, and each query masks the keys after it,
  // which are all that could lie past the end.
  const end = causal ? 'min(params.keys, (workgroup.x + 1u) * ROWS * LANES)' : 'params.keys';
  const isMasked = (r: number, v: number) =>
    `vec4u(key + ${4 * v}u) + vec4u(0u, 1u, 2u, 3u) > vec4u(${causal ? `row${r}` : 'last_key'})`;
  const highest = (r: number) =>
    Array.from({ length: VECTORS }, (_, v) => `s${r}_${v}`).reduce((a, b) => `max(${a}, ${b})`);

  const addScores = (v: number) => `        {
${unroll(4, (i) => `          let k${i} = ${gathered(4 * v + i)};`)}
${unroll(4, (d) => `          { let k = vec4f(k0[${d}], k1[${d}], k2[${d}], k3[${d}]); ${addTo(v, (r) => `q${r}[${d}] * k`)} }`)}
        }`;
  const addValues = (i: number, v: number) =>
    `        { let v = ${gathered(i * VECTORS + v)}; ${addTo(v, (r) => `p${r}[${i}] * v`)} }`;

  return {
    queriesPerWorkgroup: lanes * rows,
    wgsl: wgsl`
${enableF16(target, dtype, kvDtype)}
enable subgroups;
// Control flow is uniform: every lane of the only subgroup sees the same number of keys.
diagnostic(off, subgroup_uniformity);
${bindingsWgsl(spec)}
const LANES: u32 = ${lanes};
const ROWS: u32 = ${rows};
const VECTORS: u32 = ${VECTORS};
const WIDTH: u32 = ${WIDTH};
const BLOCK: u32 = ${BLOCK};
const GROUPS: u32 = ${groups};   // of WIDTH channels
const TILE: u32 = ${rows * VECTORS};     // vec4s of a group's sums

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  ${basesWgsl('params.head_vectors')}
  let last_vector = params.head_vectors - 1u;
  var p: array<vec4f, ${(BLOCK / 4) * rows}>;   // [key / 4][row]
  var y: array<vec4f, ${groups * rows * VECTORS}>;   // [group][row][vec4 of channels]
${eachRow(
  (r) => `  let row${r} = (workgroup.x * ROWS + ${r}u) * LANES + lane;
  let q_at${r} = q_base + min(row${r}, last_query) * params.q_row;
  var max${r} = ${MASKED};
  var sum${r} = 0f;`,
)}
${eachGather((g) => `  let slot${g} = (${g * lanes}u + lane) % WIDTH;`)}

  for (var j = 0u; j < ${end}; j += BLOCK) {
    let keys = min(BLOCK, ${end} - j);
${eachRow((r) => `    var next${r} = max${r};`)}
    for (var i = 0u; i < keys; i += WIDTH) {
      let key = j + i;
${eachGather((g) => `      let k_at${g} = k_base + min(key + slot${g}, last_key) * params.k_row;`)}
${eachSum((r, v) => `      var s${r}_${v} = vec4f();`)}
      for (var c = 0u; c < params.head_vectors; c++) {
${eachGather((g) => `        let gathered${g} = load_k(k_at${g} + c);`)}
${eachRow((r) => `        let q${r} = load_q(q_at${r} + c);`)}
${unroll(VECTORS, addScores)}
      }
${eachSum(
  (
    r,
    v,
  ) => `      s${r}_${v} = select(params.scale * s${r}_${v}, vec4f(${MASKED}), ${isMasked(r, v)});
      p[(i / 4u + ${v}u) * ROWS + ${r}u] = s${r}_${v};`,
)}
${eachRow(
  (r) => `      let high${r} = ${highest(r)};
      next${r} = max(next${r}, max(max(high${r}.x, high${r}.y), max(high${r}.z, high${r}.w)));`,
)}
    }

    let steps = (keys + 3u) / 4u;
${eachRow(softmax)}

    for (var group = 0u; group < GROUPS; group++) {
      // Channels past the end repeat the last four, keys past the end the last one, with p = 0.
${eachGather((g) => `      let v_at${g} = v_base + min(group * VECTORS + slot${g} % VECTORS, last_vector);`)}
${eachSum((r, v) => `      var s${r}_${v} = vec4f();`)}
      for (var i = 0u; i < steps; i++) {
${eachGather((g) => `        let gathered${g} = load_v(v_at${g} + min(j + 4u * i + slot${g} / VECTORS, last_key) * params.v_row);`)}
${eachRow((r) => `        let p${r} = p[i * ROWS + ${r}u];`)}
${unroll(4, (i) => unroll(VECTORS, (v) => addValues(i, v)))}
      }
      let at = group * TILE;
${eachSum((r, v) => `      y[at + ${r * VECTORS + v}u] = y[at + ${r * VECTORS + v}u] * decay${r} + s${r}_${v};`)}
    }
  }

${eachRow(
  (r) => `  if (row${r} <= last_query) {
    let inverse = 1f / sum${r};
    let y_at = y_base + row${r} * params.y_row;
    for (var c = 0u; c < params.head_vectors; c++) {
      store_y(y_at + c, y[c / VECTORS * TILE + ${r * VECTORS}u + c % VECTORS] * inverse);
    }
  }`,
)}
}
`,
  };
}
