/**
 * Attention for GPUs: a workgroup takes 32 queries of one head, all channels of their output, and
 * walks the keys 32 at a time through shared memory.
 *
 *   scores   32×32, 2 queries × 4 keys per invocation, q and k staged 32 channels at a time
 *   softmax  4 invocations per query, 8 keys each; probabilities overwrite the scores
 *   output   COLUMNS invocations side by side on channels, the rest over queries; v staged
 *            4·COLUMNS channels at a time. A 512-wide head is 8 such passes per key tile.
 *
 * The head's size reaches the text only as passes and columns; bounds of the inner loops are run-time
 * values, since lavapipe is slow to compile the unrolled text.
 *
 * 14,336 bytes of shared memory, below the 16,384 that every device has.
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

const INVOCATIONS = 128;
const TILE = 32;

export function attentionTiles(spec: AttentionSpec): AttentionDesign {
  const { headDim, causal, dtype, kvDtype, target } = spec;
  const vectors = headDim / 4;
  const columns = vectors <= 4 ? 4 : vectors <= 8 ? 8 : 16;
  // Causal: no key tile after the workgroup's last query. Each query masks the keys after it, which
  // are all that could lie past the end.
  const end = causal ? 'min(params.keys, first + TILE)' : 'params.keys';
  const last = causal ? 'first + score_row' : 'last_key';
  return {
    queriesPerWorkgroup: TILE,
    wgsl: wgsl`
${enableF16(target, dtype, kvDtype)}
${bindingsWgsl(spec)}
const INVOCATIONS: u32 = ${INVOCATIONS};
const TILE: u32 = ${TILE};      // queries, and keys
const COLUMNS: u32 = ${columns};   // vec4s of the output side by side
const PASSES: u32 = ${Math.ceil(vectors / columns)};
const ROWS: u32 = ${(TILE * columns) / INVOCATIONS};      // queries per invocation in the output
const ROW_STEP: u32 = ${INVOCATIONS / columns};
const DEPTH: u32 = 8;      // vec4s of q and k staged at a time
const PITCH: u32 = 9;      // DEPTH + 1: neighbouring rows start in different banks

var<workgroup> staged: array<vec4f, 576>;     // q then k, TILE × PITCH each; or v, TILE × COLUMNS
var<workgroup> scores: array<f32, 1056>;      // TILE × (TILE + 1)
var<workgroup> parts: array<f32, 128>;        // TILE × 4
var<workgroup> highest: array<f32, TILE>;
var<workgroup> decays: array<f32, TILE>;
var<workgroup> sums: array<f32, TILE>;

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  ${basesWgsl('params.head_vectors')}
  let first = workgroup.x * TILE;
  let score_row = lane / 8u;   // and + 16
  let score_key = lane % 8u;   // and + 8, 16, 24
  let soft_row = lane / 4u;
  let soft_part = lane % 4u;
  let out_column = lane % COLUMNS;
  let out_row = lane / COLUMNS;

  var y: array<vec4f, ${Math.ceil(vectors / columns) * ((TILE * columns) / INVOCATIONS)}>;
  if (soft_part == 0u) {
    highest[soft_row] = ${MASKED};
    sums[soft_row] = 0f;
  }

  for (var j = 0u; j < ${end}; j += TILE) {
    // Initialised by hand: with an uninitialised array here, scores kept the last tile's sums.
    var s0 = vec4f();
    var s1 = vec4f();
    for (var depth = 0u; depth < params.head_vectors; depth += DEPTH) {
      workgroupBarrier();
      for (var i = lane; i < TILE * DEPTH; i += INVOCATIONS) {
        let c = depth + i % DEPTH;
        let slot = i / DEPTH * PITCH + i % DEPTH;
        var q = vec4f();
        var k = vec4f();
        if (c < params.head_vectors) {
          q = params.scale * load_q(q_base + min(first + i / DEPTH, last_query) * params.q_row + c);
          k = load_k(k_base + min(j + i / DEPTH, last_key) * params.k_row + c);
        }
        staged[slot] = q;
        staged[TILE * PITCH + slot] = k;
      }
      workgroupBarrier();
      let depth_end = min(DEPTH, params.head_vectors - depth);
      for (var c = 0u; c < depth_end; c++) {
        let q0 = staged[score_row * PITCH + c];
        let q1 = staged[(score_row + 16u) * PITCH + c];
        let k0 = staged[(TILE + score_key) * PITCH + c];
        let k1 = staged[(TILE + score_key + 8u) * PITCH + c];
        let k2 = staged[(TILE + score_key + 16u) * PITCH + c];
        let k3 = staged[(TILE + score_key + 24u) * PITCH + c];
        s0 += vec4f(dot(q0, k0), dot(q0, k1), dot(q0, k2), dot(q0, k3));
        s1 += vec4f(dot(q1, k0), dot(q1, k1), dot(q1, k2), dot(q1, k3));
      }
    }
    for (var i = 0u; i < 4u; i++) {
      let key = score_key + 8u * i;
      let masked = j + key > ${last};
      scores[score_row * (TILE + 1u) + key] = select(s0[i], ${MASKED}, masked);
      scores[(score_row + 16u) * (TILE + 1u) + key] = select(s1[i], ${MASKED}, ${causal ? `j + key > ${last} + 16u` : 'masked'});
    }
    workgroupBarrier();

    let mine = soft_row * (TILE + 1u) + soft_part * 8u;
    var high = scores[mine];
    for (var i = 1u; i < 8u; i++) { high = max(high, scores[mine + i]); }
    parts[lane] = high;
    workgroupBarrier();
    let four = soft_row * 4u;
    let before = highest[soft_row];
    high = max(max(before, max(parts[four], parts[four + 1u])), max(parts[four + 2u], parts[four + 3u]));
    workgroupBarrier();
    var sum = 0f;
    for (var i = 0u; i < 8u; i++) {
      let p = exp2(scores[mine + i] - high);
      scores[mine + i] = p;
      sum += p;
    }
    parts[lane] = sum;
    workgroupBarrier();
    if (soft_part == 0u) {
      let decay = exp2(before - high);
      highest[soft_row] = high;
      decays[soft_row] = decay;
      sums[soft_row] = sums[soft_row] * decay
        + ((parts[four] + parts[four + 1u]) + (parts[four + 2u] + parts[four + 3u]));
    }

    let tile_keys = min(TILE, params.keys - j);
    for (var pass_index = 0u; pass_index < PASSES; pass_index++) {
      for (var i = lane; i < TILE * COLUMNS; i += INVOCATIONS) {
        let c = pass_index * COLUMNS + i % COLUMNS;
        var v = vec4f();
        if (c < params.head_vectors) { v = load_v(v_base + min(j + i / COLUMNS, last_key) * params.v_row + c); }
        staged[i] = v;
      }
      workgroupBarrier();
      // Summed by themselves: 16,384 keys added one by one would cost f32 a digit.
      var tile_sums: array<vec4f, ROWS>;
      for (var r = 0u; r < ROWS; r++) { tile_sums[r] = vec4f(); }   // by hand, as above
      for (var key = 0u; key < tile_keys; key++) {
        let v = staged[key * COLUMNS + out_column];
        for (var r = 0u; r < ROWS; r++) {
          tile_sums[r] += scores[(out_row + r * ROW_STEP) * (TILE + 1u) + key] * v;
        }
      }
      for (var r = 0u; r < ROWS; r++) {
        let at = pass_index * ROWS + r;
        y[at] = y[at] * decays[out_row + r * ROW_STEP] + tile_sums[r];
      }
      workgroupBarrier();
    }
  }

  for (var pass_index = 0u; pass_index < PASSES; pass_index++) {
    let c = pass_index * COLUMNS + out_column;
    for (var r = 0u; r < ROWS; r++) {
      let row = out_row + r * ROW_STEP;
      if (c < params.head_vectors && first + row <= last_query) {
        store_y(y_base + (first + row) * params.y_row + c, y[pass_index * ROWS + r] / sums[row]);
      }
    }
  }
}
`,
  };
}
