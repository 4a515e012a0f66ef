/**
 * Attention for GPUs without matrix units, heads of up to 128 channels: a workgroup takes 64 queries
 * of one head and walks the keys 32 at a time.
 *
 *   scores   (8, 64 / ROWS) invocations: x takes keys x, x + 8, …, y takes ROWS queries; 8 vec4s of
 *            channels of q and 32 keys staged at a time, each value read serving 4 or ROWS products
 *   softmax  each invocation its own scores; the maxima of a row's 8 invocations meet in `parts`
 *   output   ROWS queries × COLUMNS vec4s of channels per invocation, in registers; probabilities
 *            [key][query] and values come through the memory that staged q and k
 *
 * A query's scores and its output belong to the same 8 invocations, so that maximum, sum and
 * decay are registers: vec4s over 4 queries, as are scores. Sums meet only at the end. The scale joins
 * after the maximum is taken off, which is exact where it matters, near the maximum.
 *
 *   flash8x4    ROWS 8, 64 invocations
 *   flash4x4    ROWS 4, 128 invocations of half the registers
 *   …half       q, k, v and probabilities staged as f16: half the memory, but a conversion per read
 *
 * Cross-attention to a prompt takes the same road: 77 keys are three tiles.
 *
 * Rows are PITCH apart, an odd number of vec4s: the eight that are read together lie in different
 * banks. Indices are sums and products of invocation ids and loop counters, which Dawn proves in
 * bounds. At most 16,000 bytes of shared memory.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  type AttentionDesign,
  type AttentionSpec,
  basesWgsl,
  bindingsWgsl,
  MASKED,
} from './attention-spec.ts';
import { enableF16, isPacked } from './storage.ts';
import { unroll } from './unroll.ts';

/** Wider heads would need more registers for their output than there are. */
const MAX_FLASH_HEAD = 128;

const QUERIES = 64;
const BLOCK = 32; // keys staged at a time
const PARTS_VECTORS = 8 * 17; // 8 × (QUERIES / 4 + 1)
const P_VECTORS = BLOCK * 17;
/** 16 KiB but for `parts`. */
const STAGED_BYTES = 16_384 - 16 * PARTS_VECTORS;

/** Whether q, k and v are f16 that shaders can hold as such. */
const canHalve = ({ dtype, kvDtype, target }: AttentionSpec): boolean =>
  dtype === 'f16' && kvDtype === 'f16' && !isPacked(target);

/** Designs for these shapes, the best guess first. */
export function flashDesigns(spec: AttentionSpec): readonly string[] {
  if (spec.headDim > MAX_FLASH_HEAD) return [];
  // f32 outputs need twice the registers, see `hasTileSums` below.
  const rows = spec.headDim <= 64 && spec.dtype === 'f16' ? [8, 4] : [4, 8];
  const halves = canHalve(spec) ? ['', 'half'] : [''];
  return halves.flatMap((half) => rows.map((r) => `flash${r}x4${half}`));
}

export function attentionFlash(spec: AttentionSpec, design: string): AttentionDesign {
  const { headDim, causal, dtype, kvDtype, target } = spec;
  const rows = design.startsWith('flash8') ? 8 : 4;
  const isHalf = design.includes('half');
  const teams = QUERIES / rows; // invocations in y
  const groups = rows / 4; // vec4s of queries per invocation
  const columns = Math.ceil(headDim / 32); // vec4s of channels per invocation
  const stagedBytes = isHalf ? 8 : 16;
  const room = Math.floor(STAGED_BYTES / stagedBytes) - P_VECTORS;
  const valueKeys = [32, 16, 8].find((n) => n * columns * 8 <= room) ?? 8;
  const element = isHalf ? 'vec4<f16>' : 'vec4f';
  // One sum over 16,384 keys would cost f32 a digit: a tile's values are summed by themselves.
  const hasTileSums = dtype === 'f32';
  const sum = hasTileSums ? 't' : 'o';

  // Names: group of four queries g, query i, key k of the invocation, vec4 of channels c.
  const eachGroup = (make: (g: number) => string) => unroll(groups, make);
  const eachRow = (make: (i: number) => string) => unroll(rows, make);
  const eachColumn = (make: (c: number) => string) => unroll(columns, make);
  const eachOutput = (make: (i: number, c: number) => string) =>
    eachRow((i) => eachColumn((c) => make(i, c)));

  // Causal: no key tile after the workgroup's last query. Each query masks the keys after it, which
  // are all that could lie past the end.
  const end = causal ? 'min(params.keys, first + QUERIES)' : 'params.keys';
  const isMasked = (g: number, k: number) =>
    causal
      ? `vec4u(j + local.x + ${8 * k}u) > rows${g}`
      : `vec4<bool>(j + local.x + ${8 * k}u > last_key)`;
  const dots = (g: number, k: number) =>
    Array.from({ length: 4 }, (_, i) => `dot(q${4 * g + i}, k${k})`).join(', ');

  const scores = `
    for (var depth = 0u; depth < params.head_vectors; depth += DEPTH) {
      let column = min(depth + local.x, last_vector);
      workgroupBarrier();
      for (var i = 0u; i < ROWS; i++) {
        let row = local.y + i * TEAMS;
        staged[row * PITCH + local.x] = Staged(load_q(q_base + min(first + row, last_query) * params.q_row + column));
      }
      for (var i = 0u; i < BLOCK / TEAMS; i++) {
        let key = local.y + i * TEAMS;
        staged[(QUERIES + key) * PITCH + local.x] =
          Staged(load_k(k_base + min(j + key, last_key) * params.k_row + column));
      }
      workgroupBarrier();
      for (var c = 0u; c < DEPTH; c++) {
${headDim % 32 === 0 ? '' : '        if (depth + c > last_vector) { break; }'}
${eachRow((i) => `        let q${i} = vec4f(staged[(local.y + ${teams * i}u) * PITCH + c]);`)}
${unroll(
  4,
  (k) => `        let k${k} = vec4f(staged[(QUERIES + local.x + ${8 * k}u) * PITCH + c]);
${eachGroup((g) => `        s${g}_${k} += vec4f(${dots(g, k)});`)}`,
)}
      }
    }`;

  const values = `
${unroll(4, (k) =>
  eachGroup(
    (g) =>
      `    staged[(local.x + ${8 * k}u) * P_PITCH + local.y * ${groups}u + ${g}u] = Staged(s${g}_${k});`,
  ),
)}
    for (var part = 0u; part < BLOCK / VALUE_KEYS; part++) {
      let chunk = part * VALUE_KEYS;
      if (part > 0u) { workgroupBarrier(); }
      for (var i = 0u; i < ${Math.ceil(valueKeys / teams)}u; i++) {
        let key = local.y + i * TEAMS;
        let at = v_base + min(j + chunk + key, last_key) * params.v_row;
        if (key < VALUE_KEYS) {
${eachColumn(
  (c) =>
    `          staged[P_VECTORS + key * V_PITCH + local.x + ${8 * c}u] = Staged(load_v(at + min(local.x + ${8 * c}u, last_vector)));`,
)}
        }
      }
      workgroupBarrier();
      for (var key = 0u; key < VALUE_KEYS; key++) {
${eachGroup((g) => `        let p${g} = vec4f(staged[(chunk + key) * P_PITCH + local.y * ${groups}u + ${g}u]);`)}
${eachColumn(
  (c) => `        let v${c} = vec4f(staged[P_VECTORS + key * V_PITCH + local.x + ${8 * c}u]);
${eachRow((i) => `        ${sum}${i}_${c} += p${Math.floor(i / 4)}[${i % 4}] * v${c};`)}`,
)}
      }
    }`;

  // Eight invocations per query tell each other of their keys.
  const tell = (value: string) =>
    eachGroup((g) => `parts[local.x * P_PITCH + local.y * ${groups}u + ${g}u] = ${value}${g};`);
  const told = (g: number, x: number) => `parts[${x * 17}u + local.y * ${groups}u + ${g}u]`;
  const combined = (g: number, combine: (a: string, b: string) => string) =>
    Array.from({ length: 8 }, (_, x) => told(g, x)).reduce(combine);
  const max = (a: string, b: string) => `max(${a}, ${b})`;

  const tile = `
${eachGroup((g) => unroll(4, (k) => `    var s${g}_${k} = vec4f();`))}
${scores}
${eachGroup(
  (g) => `${unroll(
    4,
    (k) => `    s${g}_${k} = select(s${g}_${k}, vec4f(${MASKED}), ${isMasked(g, k)});`,
  )}
    let high${g} = ${Array.from({ length: 4 }, (_, k) => `s${g}_${k}`).reduce(max)};`,
)}
    ${tell('high')}
    workgroupBarrier();
${eachGroup(
  (g) => `    let next${g} = max(max${g}, ${combined(g, max)});
    let decay${g} = exp2(params.scale * (max${g} - next${g}));
    max${g} = next${g};
    sum${g} *= decay${g};
${unroll(
  4,
  (k) => `    s${g}_${k} = exp2(params.scale * (s${g}_${k} - next${g})); sum${g} += s${g}_${k};`,
)}`,
)}
${hasTileSums ? '' : eachOutput((i, c) => `    o${i}_${c} *= decay${Math.floor(i / 4)}[${i % 4}];`)}
${hasTileSums ? eachOutput((i, c) => `    var t${i}_${c} = vec4f();`) : ''}
${values}
${hasTileSums ? eachOutput((i, c) => `    o${i}_${c} = o${i}_${c} * decay${Math.floor(i / 4)}[${i % 4}] + t${i}_${c};`) : ''}`;

  return {
    queriesPerWorkgroup: QUERIES,
    wgsl: wgsl`
${enableF16(target, dtype, kvDtype)}
${bindingsWgsl(spec)}
alias Staged = ${element};
const QUERIES: u32 = ${QUERIES};
const ROWS: u32 = ${rows};
const TEAMS: u32 = ${teams};
const BLOCK: u32 = ${BLOCK};
const DEPTH: u32 = 8;      // vec4s of q and k staged at a time
const PITCH: u32 = 9;      // DEPTH + 1
const P_PITCH: u32 = 17;   // QUERIES / 4 + 1
const P_VECTORS: u32 = ${P_VECTORS};
const V_PITCH: u32 = ${columns * 8};
const VALUE_KEYS: u32 = ${valueKeys};

var<workgroup> staged: array<Staged, ${Math.max((QUERIES + BLOCK) * 9, P_VECTORS + valueKeys * columns * 8)}>;
var<workgroup> parts: array<vec4f, ${PARTS_VECTORS}>;   // [invocation of the row][query / 4]

@compute @workgroup_size(8, TEAMS)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  ${basesWgsl('params.head_vectors')}
  let last_vector = params.head_vectors - 1u;
  let first = workgroup.x * QUERIES;
${eachGroup(
  (
    g,
  ) => `  let rows${g} = first + local.y + vec4u(${[0, 1, 2, 3].map((i) => `${(4 * g + i) * teams}u`).join(', ')});
  var max${g} = vec4f(${MASKED});
  var sum${g} = vec4f();`,
)}
${eachOutput((i, c) => `  var o${i}_${c} = vec4f();`)}
  for (var j = 0u; j < ${end}; j += BLOCK) {
${tile}
  }
  ${tell('sum')}
  workgroupBarrier();
${eachGroup((g) => `  let inverse${g} = 1f / (${combined(g, (a, b) => `${a} + ${b}`)});`)}
${eachRow(
  (i) => `  if (rows${Math.floor(i / 4)}[${i % 4}] <= last_query) {
    let at = y_base + rows${Math.floor(i / 4)}[${i % 4}] * params.y_row + local.x;
${eachColumn(
  (c) =>
    `    if (local.x + ${8 * c}u <= last_vector) { store_y(at + ${8 * c}u, o${i}_${c} * inverse${Math.floor(i / 4)}[${i % 4}]); }`,
)}
  }`,
)}
}
`,
  };
}
