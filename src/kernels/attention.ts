/**
 * Scaled dot-product attention, all heads, without a score matrix.
 *
 *   y[n, i, h] = Σ_j softmax_j(q[n, i, h] · k[n, j, h] / √d) · v[n, j, h]        d = C / heads
 *
 *   q, y   [N, Lq, C]         f16 or f32; C holds the heads one after another, d a multiple of 4
 *   k, v   [N or 1, Lk, C]    one dtype; a single one serves every batch entry
 *
 * With `channels` C and `offsets` the rows of q, k and v may be wider than C: each begins at its own
 * channel, a multiple of 4, of the tensor given for it. So one product's [N, L, 3C] can be all three
 * of them, or its [N, Lk, 2C] k and v. y is [N, Lq, C] always.
 *
 * With `causal`, query i sees keys 0 to i only, and Lq = Lk.
 *
 * Keys are taken in blocks; each query keeps the maximum m and the sum l of its exponentials so far
 * in f32 and rescales its output when m grows (Milakov & Gimelshein 2018, FlashAttention). Scores are
 * multiplied by log2(e)/√d in f32, which makes them exponents of 2. Keys past the end get MASKED.
 *
 * Where y is f32, a block's products are summed before they join the output: that rounds once per block,
 * not once per key, which the 16,384 keys of the noise predictor need to stay within the f32 gate.
 *
 * 4·N·Lq·Lk·C operations, causal about half, and an exponential for every score. A workgroup's queries
 * read all keys and values of their head, so arithmetic is the bound from some hundred keys on; with a
 * prompt's 77, on matrix units, q and y are. Only C channels of wider rows are read.
 *
 * The designs:
 *   attention-lanes.ts   CPU rasterisers, any d: queries over the lanes, no shared memory
 *   attention-matrix.ts  subgroup matrices, f16, d ≤ 64: scores and outputs in matrices
 *   attention-matrix-wide.ts  the same for d of 128, 256, 384 or 512, whole tiles only
 *   attention-flash.ts   GPUs, d ≤ 128: 64 queries, registers blocked 4×4 or 8×4
 *   attention-tiles.ts   GPUs, any d: 32 queries × 32 keys through shared memory; output channels
 *                        over the lanes, so the VAE's single 512-wide head fits too
 */
import {
  byteLength,
  type Choice,
  expectShape,
  f32,
  format,
  type Kernel,
  type Params,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { attentionFlash, flashDesigns } from './attention-flash.ts';
import type { AttentionDesign, AttentionSpec } from './attention-spec.ts';
import { choose, sizeClass } from './designs.ts';
import { cpuDesigns, matrixFamily, tiledAttention } from './on-demand.ts';

export interface AttentionInputs {
  readonly q: TensorType;
  readonly k: TensorType;
  readonly v: TensorType;
}

export interface AttentionConstants {
  readonly heads: number;
  /** Text encoders: no query sees a later key. @default false */
  readonly causal?: boolean;
  /** C, with `offsets`. @default q's last axis */
  readonly channels?: number;
  /** The channels at which q, k and v begin in wider rows; multiples of 4. @default all of each row */
  readonly offsets?: { readonly q: number; readonly k: number; readonly v: number };
}

/** Throws unless `channels` from `offset` on lie in the rows of `type`. */
function expectPacked(what: string, type: TensorType, channels: number, offset: number): void {
  const [, , width = 0] = type.shape;
  if (width % 4 === 0 && offset % 4 === 0 && offset >= 0 && offset + channels <= width) return;
  throw new ShapeError(`${what} is ${format(type)}, it has no ${channels} channels from ${offset}`);
}

export function attention(
  { q, k, v }: AttentionInputs,
  { heads, causal = false, channels = q.shape[2] ?? 0, offsets }: AttentionConstants,
  target: Target,
): Kernel {
  const [batch = 0, queries = 0, qWidth = 0] = q.shape;
  const [kvBatch = 0, keys = 0, kWidth = 0] = k.shape;
  const [, , vWidth = 0] = v.shape;
  const headDim = channels / heads;
  if (q.shape.length !== 3 || headDim % 4 !== 0 || headDim === 0) {
    throw new ShapeError(`q is ${format(q)}, expected [N,L,C] with C/${heads} a multiple of 4`);
  }
  if (keys === 0) throw new ShapeError(`k is ${format(k)}, it must have at least one key`);
  const at = offsets ?? { q: 0, k: 0, v: 0 };
  if (offsets) {
    expectPacked('q', q, channels, at.q);
    expectPacked('k', k, channels, at.k);
    expectPacked('v', v, channels, at.v);
  } else {
    expectShape('q', q, [batch, queries, channels]);
  }
  expectShape('k', k, [kvBatch === 1 ? 1 : batch, keys, offsets ? kWidth : channels]);
  expectShape('v', v, [kvBatch, keys, offsets ? vWidth : channels]);
  if (causal && queries !== keys) {
    throw new ShapeError(
      `causal attention has as many keys as queries: q is ${format(q)}, k is ${format(k)}`,
    );
  }
  if (k.dtype !== v.dtype) throw new ShapeError(`k is ${format(k)}, v is ${format(v)}`);

  const params = {
    queries: u32(queries),
    keys: u32(keys),
    head_vectors: u32(headDim / 4),
    y_row: u32(channels / 4),
    q_row: u32(qWidth / 4),
    k_row: u32(kWidth / 4),
    v_row: u32(vWidth / 4),
    q_at: u32(at.q / 4),
    k_at: u32(at.k / 4),
    v_at: u32(at.v / 4),
    kv_batch: u32(kvBatch === 1 ? 0 : keys),
    scale: f32(Math.LOG2E / Math.sqrt(headDim)),
  } satisfies Params;
  const spec = { params, keys, headDim, causal, dtype: q.dtype, kvDtype: k.dtype, target };
  const { wgsl, queriesPerWorkgroup, choice } = designOf(spec, {
    queries,
    heads: heads * batch,
  });
  const y: TensorType = { dtype: q.dtype, shape: [batch, queries, channels] };
  const kv: TensorType = { dtype: k.dtype, shape: [kvBatch, keys, channels] };
  const pairs = causal ? (queries * (queries + 1)) / 2 : queries * keys;
  return {
    name: 'attention',
    variant: `${format(q)} × ${format(k)} h${heads}${causal ? ' causal' : ''}${offsets ? ` c${channels}` : ''}`,
    wgsl,
    bindings: { q: 1, k: 2, v: 3 },
    params,
    output: { binding: 4, type: y },
    ...(choice && { choice }),
    workgroups: [Math.ceil(queries / queriesPerWorkgroup), heads, batch],
    cost: {
      flops: 4 * batch * pairs * channels,
      bytes: 2 * byteLength(y) + 2 * byteLength(kv),
    },
  };
}

/** The text for these sizes, by the design that target's family and tuning call for. */
function designOf(
  spec: AttentionSpec,
  { queries, heads }: { readonly queries: number; readonly heads: number },
): AttentionDesign & { readonly choice?: Choice } {
  const { target, headDim, keys, dtype, kvDtype } = spec;
  const storage = dtype === kvDtype ? dtype : `${dtype}×${kvDtype}`;
  const what = `attention ${storage} d${headDim}${spec.causal ? ' causal' : ''}`;
  if (target.family === 'cpu') {
    if (target.subgroupSize <= 1) return tiledAttention.get().attentionTiles(spec);
    const { attentionLanes, lanesDesigns } = cpuDesigns.get();
    const key = sizeClass(`cpu ${what}`, { heads, queries, keys });
    const choice = choose(key, lanesDesigns(spec), target);
    return { ...attentionLanes(spec, choice.design), choice };
  }
  const matrices = matrixFamily(target);
  const [best, ...others] = [
    ...(matrices?.attentionDesigns(spec, { queries, heads }) ?? []),
    ...(matrices?.wideDesigns(spec, queries) ?? []),
    ...flashDesigns(spec),
    'tiles',
  ];
  const choice = choose(
    sizeClass(what, { heads, queries, keys }),
    [best ?? 'tiles', ...others],
    target,
  );
  const { design } = choice;
  const make = (): AttentionDesign => {
    if (design === 'tiles') return tiledAttention.get().attentionTiles(spec);
    if (matrices && design === 'wide') return matrices.attentionMatrixWide(spec);
    if (matrices && design.startsWith('matrix')) return matrices.attentionMatrix(spec, design);
    return attentionFlash(spec, design);
  };
  return { ...make(), choice };
}

export function attentionReference(
  { q, k, v }: { q: Float32Array; k: Float32Array; v: Float32Array },
  {
    heads,
    causal = false,
    batch,
    kvBatch,
    queries,
    keys,
    channels = q.length / (batch * queries),
    offsets = { q: 0, k: 0, v: 0 },
  }: AttentionConstants & { batch: number; kvBatch: number; queries: number; keys: number },
): Float32Array {
  const headDim = channels / heads;
  const qRow = q.length / (batch * queries);
  const kRow = k.length / (kvBatch * keys);
  const vRow = v.length / (kvBatch * keys);
  const y = new Float32Array(batch * queries * channels);
  const scores = new Float64Array(keys);
  const sums = new Float64Array(headDim);
  for (let n = 0; n < batch; n++) {
    const kv = kvBatch === 1 ? 0 : n * keys;
    for (let i = 0; i < queries; i++) {
      for (let h = 0; h < heads; h++) {
        const qAt = (n * queries + i) * qRow + offsets.q + h * headDim;
        const kAt = kv * kRow + offsets.k + h * headDim;
        const vAt = kv * vRow + offsets.v + h * headDim;
        const yAt = (n * queries + i) * channels + h * headDim;
        const seen = causal ? i + 1 : keys;
        for (let j = 0; j < seen; j++) {
          let dot = 0;
          for (let c = 0; c < headDim; c++) {
            dot += (q[qAt + c] ?? 0) * (k[kAt + j * kRow + c] ?? 0);
          }
          scores[j] = dot / Math.sqrt(headDim);
        }
        const highest = scores.subarray(0, seen).reduce((a, b) => Math.max(a, b), -Infinity);
        let total = 0;
        sums.fill(0);
        for (let j = 0; j < seen; j++) {
          const p = Math.exp((scores[j] ?? 0) - highest);
          total += p;
          for (let c = 0; c < headDim; c++) {
            sums[c] = (sums[c] ?? 0) + p * (v[vAt + j * vRow + c] ?? 0);
          }
        }
        for (let c = 0; c < headDim; c++) y[yAt + c] = (sums[c] ?? 0) / total;
      }
    }
  }
  return y;
}
