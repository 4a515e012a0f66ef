/**
 * Attention on subgroup matrices, f16, heads of up to 64 channels, a multiple of 16: a workgroup takes
 * ROWS queries of one head, as many per subgroup as it has lanes, and walks the keys 32 at a time.
 *
 *   scores   q stays in matrices; k is staged for all subgroups. Products in f32, then to shared memory
 *   softmax  one row for each lane: maximum, exponentials, sum need no talk between lanes.
 *            Probabilities go to shared memory as f16, in the place of k
 *   output   stays in matrices of f32 sums
 *
 * No element of a matrix can be reached, so to rescale the output it must go through shared memory.
 * That is done only when some row's maximum grew by more than GROWTH powers of two since the last time;
 * until then exponentials are of the difference to an older maximum: at most 2^GROWTH, which f16 holds
 * as precisely as numbers below 1. The branch is the same for the whole workgroup.
 *
 *   matrix128   128 rows, 128 invocations, 32 KiB of shared memory for d = 64
 *   matrix64    64 rows, 64 invocations, 18 KiB: k and v are read twice as often, but there are
 *               more workgroups
 *   …ahead      the next tile's keys and values are on their way, for d = 64 in 16 registers (32 with
 *               64 rows), while this one's are used
 *
 * Rows past the last query or key repeat the last one; such keys are masked, such queries not stored.
 * Rows of every tile lie a multiple of 16 bytes apart, which Vulkan demands of a matrix load
 * (VUID-RuntimeSpirv-OpCooperativeMatrixLoadKHR-08986), and on different banks. Only for v, which must
 * do without padding to leave 128 rows within 32 KiB, two in eight meet on a bank: hence 16 channels
 * of all keys one after another.
 *
 * Operands in f16 only. In f32, as Apple's GPUs have them, q and the output of 64 channels alone would
 * take 128 registers of every invocation, which is said to be all there are (not verified), and 128 rows
 * 44 KiB of shared memory: attention stays on the ALU there.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  type AttentionDesign,
  type AttentionSpec,
  basesWgsl,
  bindingsWgsl,
  MASKED,
} from './attention-spec.ts';
import { matrixWgsl } from '../engine/subgroup-matrix.ts';
import { isPacked } from './storage.ts';
import { unroll } from './unroll.ts';

/** Wider heads would leave no registers for q. */
const MAX_HEAD = 64;
/** Keys of a tile, and columns that go through shared memory together. */
export const TILE = 32;
const TILE_VECTORS = TILE / 4;
const SCORE_PITCH = TILE_VECTORS + 1;
const P_PITCH = TILE_VECTORS + 2;
/** Vectors of 16 channels. */
const V_PITCH = 4;

/** Whether types and target let subgroup matrices multiply. */
export function canMultiply({ dtype, kvDtype, target }: AttentionSpec): boolean {
  const { matrix } = target;
  if (matrix?.component !== 'f16' || isPacked(target)) return false;
  if (dtype !== 'f16' || kvDtype !== 'f16') return false;
  const { m, n, k, subgroupSize } = matrix;
  return subgroupSize % m === 0 && 16 % n === 0 && 16 % k === 0;
}

/** Designs for these shapes, the best guess first; none where matrices do not apply. */
export function attentionDesigns(
  spec: AttentionSpec,
  { queries, heads }: { readonly queries: number; readonly heads: number },
): readonly string[] {
  if (!canMultiply(spec) || spec.headDim > MAX_HEAD || spec.headDim % 16 !== 0) return [];
  // Fewer workgroups would leave a large GPU idle.
  const isMany = Math.ceil(queries / 128) * heads >= 128;
  const sizes = isMany ? ['matrix128', 'matrix64'] : ['matrix64', 'matrix128'];
  return [...sizes, ...sizes.map((size) => `${size}ahead`)];
}

export function attentionMatrix(spec: AttentionSpec, design: string): AttentionDesign {
  const { headDim, causal, target } = spec;
  const matrix = matrixWgsl(target);
  const { m, n, k, subgroupSize: subgroup } = matrix;
  const rows = design.startsWith('matrix128') ? 128 : 64;
  const isAhead = design.endsWith('ahead');
  const bands = subgroup / m; // of m rows each, per subgroup
  const steps = headDim / k;
  const outputs = headDim / n;
  const strips = Math.ceil(headDim / TILE);
  const kPitch = headDim / 4 + 2;

  // Names: band of rows r, step through the head's channels t, columns g of scores, c of the output.
  const eachBand = (make: (r: number) => string) => unroll(bands, make);
  const eachScore = (make: (r: number, g: number) => string) =>
    eachBand((r) => unroll(TILE / n, (g) => make(r, g)));
  const eachOutput = (make: (r: number, c: number) => string) =>
    eachBand((r) => unroll(outputs, (c) => make(r, c)));
  /** Where a band begins in a tile of the workgroup's rows. */
  const band = (r: number, pitch: number, column: number) =>
    `(subgroup * ${subgroup}u + ${r * m}u) * ${pitch}u + ${column / 4}u`;
  const store = (value: string, r: number, column: number) =>
    `subgroupMatrixStore<row_major>(&score_tile, ${band(r, SCORE_PITCH, column)}, ${value}, ${SCORE_PITCH}u);`;
  const loadP = (r: number, column: number) =>
    matrix.left('p_tile', band(r, P_PITCH, column), `${P_PITCH}u`);

  // Causal: no key tile after the workgroup's last query. Each query masks the keys after it, which
  // are all that could lie past the end.
  const end = causal ? 'min(params.keys, first + ROWS)' : 'params.keys';

  const loadQuery = (strip: number) => `
  for (var i = thread; i < ROWS * ${TILE_VECTORS}u; i += ROWS) {
    let query = i / ${TILE_VECTORS}u;
    let c = ${strip * TILE_VECTORS}u + i % ${TILE_VECTORS}u;
    p_tile[query * ${P_PITCH}u + i % ${TILE_VECTORS}u] =
      q[q_base + min(first + query, last_query) * params.q_row + min(c, VECTORS - 1u)];
  }
  workgroupBarrier();
${eachBand((r) =>
  unroll(
    Math.min(TILE, headDim - strip * TILE) / k,
    (t) => `  let q${r}_${(strip * TILE) / k + t} = ${loadP(r, t * k)};`,
  ),
)}
  workgroupBarrier();`;

  // Slot i of an invocation: vec4 c of key `key` of the tile.
  const eachSlot = (make: (i: number) => string) => unroll((TILE * headDim) / 4 / rows, make);
  const fetch = (tile: string) =>
    eachSlot(
      (i) => `    {
      let token = min(${tile} + key${i}, last_key);
      next_k${i} = k[k_base + token * params.k_row + c${i}];
      next_v${i} = v[v_base + token * params.v_row + c${i}];
    }`,
    );

  const scores = unroll(
    TILE / n,
    (g) => `${eachBand((r) => `    var s${r}_${g} = ${matrix.result}();`)}
${unroll(
  steps,
  (t) => `    {
      let b = ${matrix.right('col', 'p_tile', `${g * n * kPitch + (t * k) / 4}u`, `${kPitch}u`)};
${eachBand((r) => `      s${r}_${g} = subgroupMatrixMultiplyAccumulate(q${r}_${t}, b, s${r}_${g});`)}
    }`,
)}`,
  );

  const softmax = `
${unroll(TILE_VECTORS, (i) => `    var s${i} = score_tile[row * ${SCORE_PITCH}u + ${i}u];`)}
    // Only tiles at the end have keys to mask.
    if (j + ${TILE}u > ${causal ? 'first + 1u' : 'params.keys'}) {
      let last = vec4u(${causal ? 'first + row' : 'last_key'});
${unroll(
  TILE_VECTORS,
  (i) =>
    `      s${i} = select(s${i}, vec4f(${MASKED}), j + vec4u(${[0, 1, 2, 3].map((c) => `${4 * i + c}u`).join(', ')}) > last);`,
)}
    }
    let high = ${Array.from({ length: TILE_VECTORS }, (_, i) => `s${i}`).reduce((x, y) => `max(${x}, ${y})`)};
    let tile_max = max(max(high.x, high.y), max(high.z, high.w));
    let grows = params.scale * (tile_max - row_max) > GROWTH;
    let next = select(row_max, tile_max, grows);
    let decay = exp2(params.scale * (row_max - next));
    row_max = next;
    let offset = vec4f(-params.scale * next);
    var sums = vec4f();
${unroll(
  TILE_VECTORS,
  (i) => `    let e${i} = exp2(fma(s${i}, vec4f(params.scale), offset));
    sums += e${i};
    p_tile[row * ${P_PITCH}u + ${i}u] = vec4<f16>(e${i});`,
)}
    row_sum = row_sum * decay + ((sums.x + sums.y) + (sums.z + sums.w));
    if (grows && j > 0u) { atomicStore(&grown, 1u); }`;

  /** The output's columns of a strip to shared memory, where every lane finds its row. */
  const columnsOf = (strip: number) =>
    Array.from({ length: outputs }, (_, c) => c).filter(
      (c) => Math.floor((c * n) / TILE) === strip,
    );
  const put = (strip: number) =>
    eachBand((r) =>
      columnsOf(strip)
        .map((c) => store(`o${r}_${c}`, r, c * n - strip * TILE))
        .join('\n'),
    );
  const vectorsOf = (strip: number) => Math.min(TILE, headDim - strip * TILE) / 4;

  const rescale = (strip: number) => `
${put(strip)}
      workgroupBarrier();
      for (var i = 0u; i < ${vectorsOf(strip)}u; i++) { score_tile[row * ${SCORE_PITCH}u + i] *= decay; }
      workgroupBarrier();
${eachBand((r) =>
  columnsOf(strip)
    .map(
      (c) =>
        `      o${r}_${c} = ${matrix.loadResult('score_tile', band(r, SCORE_PITCH, c * n - strip * TILE), `${SCORE_PITCH}u`)};`,
    )
    .join('\n'),
)}
      workgroupBarrier();`;

  /** Where the values of a key and a channel of the head begin. */
  const valueAt = (key: number, channel: number) =>
    `${Math.floor(channel / 16) * TILE * V_PITCH + key * V_PITCH + (channel % 16) / 4}u`;
  const values = unroll(
    TILE / k,
    (t) => `    {
${eachBand((r) => `      let p${r} = ${loadP(r, t * k)};`)}
${unroll(
  outputs,
  (c) => `      {
        let b = ${matrix.right('row', 'v_tile', valueAt(t * k, c * n), `${V_PITCH}u`)};
${eachBand((r) => `        o${r}_${c} = subgroupMatrixMultiplyAccumulate(p${r}, b, o${r}_${c});`)}
      }`,
)}
    }`,
  );

  const write = (strip: number) => `
${put(strip)}
  workgroupBarrier();
  if (first + row <= last_query) {
    let at = y_base + (first + row) * params.y_row + ${strip * TILE_VECTORS}u;
    for (var i = 0u; i < ${vectorsOf(strip)}u; i++) {
      store_y(at + i, score_tile[row * ${SCORE_PITCH}u + i] / row_sum);
    }
  }
  workgroupBarrier();`;

  return {
    queriesPerWorkgroup: rows,
    wgsl: wgsl`
enable f16;
${matrix.enables}
${bindingsWgsl(spec)}
const ROWS: u32 = ${rows};
const VECTORS: u32 = ${headDim / 4};
const GROWTH: f32 = 8;

var<workgroup> p_tile: array<vec4<f16>, ${rows * P_PITCH - 2}>;   // q, then k and probabilities in turn
var<workgroup> v_tile: array<vec4<f16>, ${(TILE * headDim) / 4}>;   // [channel / 16][key][16 channels]
var<workgroup> score_tile: array<vec4f, ${rows * SCORE_PITCH}>;
var<workgroup> grown: atomic<u32>;

@compute @workgroup_size(ROWS) ${matrix.pin}
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  ${basesWgsl('VECTORS')}
  let first = workgroup.x * ROWS;
  let row = subgroup * ${subgroup}u + lane;
${unroll(strips, loadQuery)}
  var row_max = ${MASKED};
  var row_sum = 0f;
${eachOutput((r, c) => `  var o${r}_${c} = ${matrix.result}();`)}
${eachSlot(
  (i) => `  let key${i} = (thread + ${i}u * ROWS) / VECTORS;
  let c${i} = thread + ${i}u * ROWS - key${i} * VECTORS;
  let k_slot${i} = key${i} * ${kPitch}u + c${i};
  let v_slot${i} = (c${i} / ${V_PITCH}u * ${TILE}u + key${i}) * ${V_PITCH}u + c${i} % ${V_PITCH}u;
  var next_k${i} = vec4<f16>();
  var next_v${i} = vec4<f16>();`,
)}
  ${isAhead ? fetch('0u') : ''}
  for (var j = 0u; j < ${end}; j += ${TILE}u) {
    ${isAhead ? '' : fetch('j')}
${eachSlot((i) => `    p_tile[k_slot${i}] = next_k${i}; v_tile[v_slot${i}] = next_v${i};`)}
    if (thread == 0u) { atomicStore(&grown, 0u); }
    workgroupBarrier();
    ${isAhead ? fetch(`j + ${TILE}u`) : ''}
${scores}
${eachScore((r, g) => `    ${store(`s${r}_${g}`, r, g * n)}`)}
    workgroupBarrier();
${softmax}
    if (workgroupUniformLoad(&grown) != 0u) {
${unroll(strips, rescale)}
    }
${values}
    workgroupBarrier();
  }
${unroll(strips, write)}
}
`,
  };
}
