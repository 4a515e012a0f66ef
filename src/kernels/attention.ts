/**
 * Scaled dot-product attention, all heads, without a score matrix.
 *
 *   y[n, i, h] = Σ_j softmax_j(q[n, i, h] · k[n, j, h] / √d) · v[n, j, h]        d = C / heads
 *
 *   q, y   [N, Lq, C]         f16 or f32; C holds the heads one after another, d a multiple of 4
 *   k, v   [N or 1, Lk, C]    one dtype; a single one serves every batch entry
 *
 * With `causal`, query i sees keys 0 to i only, and Lq = Lk.
 *
 * Keys are taken in blocks; each query keeps the maximum m and the sum l of its exponentials so far
 * in f32 and rescales its output when m grows (Milakov & Gimelshein 2018, FlashAttention). q is
 * multiplied by log2(e)/√d in f32, so scores are exponents of 2. Keys past the end get MASKED.
 *
 * A block's products are summed before they join the output: that rounds once per block, not once per
 * key, which the 16,384 keys of the noise predictor need to stay within the f32 gate.
 *
 * Two designs, each for any d:
 *   attention-lanes.ts   CPU rasterisers: one query per SIMD lane, no shared memory; d ≤ 64
 *   attention-tiles.ts   GPUs: 32 queries × 32 keys through shared memory; output channels over the
 *                        lanes, so the VAE's single 512-wide head fits too
 */
import {
  byteLength,
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
import { attentionLanes, MAX_LANE_HEAD } from './attention-lanes.ts';
import { attentionTiles } from './attention-tiles.ts';

export interface AttentionInputs {
  readonly q: TensorType;
  readonly k: TensorType;
  readonly v: TensorType;
}

export interface AttentionConstants {
  readonly heads: number;
  /** Text encoders: no query sees a later key. @default false */
  readonly causal?: boolean;
}

export function attention(
  { q, k, v }: AttentionInputs,
  { heads, causal = false }: AttentionConstants,
  target: Target,
): Kernel {
  const [batch = 0, queries = 0, channels = 0] = q.shape;
  const [kvBatch = 0, keys = 0] = k.shape;
  const headDim = channels / heads;
  if (q.shape.length !== 3 || headDim % 4 !== 0 || headDim === 0) {
    throw new ShapeError(`q is ${format(q)}, expected [N,L,C] with C/${heads} a multiple of 4`);
  }
  if (keys === 0) throw new ShapeError(`k is ${format(k)}, it must have at least one key`);
  expectShape('k', k, [kvBatch === 1 ? 1 : batch, keys, channels]);
  expectShape('v', v, k.shape);
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
    row: u32(channels / 4),
    kv_batch_row: u32(kvBatch === 1 ? 0 : keys * (channels / 4)),
    scale: f32(Math.LOG2E / Math.sqrt(headDim)),
  } satisfies Params;
  const lanes = target.family === 'cpu' && target.subgroupSize > 1 && headDim <= MAX_LANE_HEAD;
  const { wgsl, queriesPerWorkgroup } = (lanes ? attentionLanes : attentionTiles)({
    params,
    headDim,
    causal,
    dtype: q.dtype,
    kvDtype: k.dtype,
    target,
  });
  const pairs = causal ? (queries * (queries + 1)) / 2 : queries * keys;
  return {
    name: 'attention',
    variant: `${format(q)} × ${format(k)} h${heads}${causal ? ' causal' : ''}`,
    wgsl,
    bindings: { q: 1, k: 2, v: 3 },
    params,
    output: { binding: 4, type: q },
    workgroups: [Math.ceil(queries / queriesPerWorkgroup), heads, batch],
    cost: {
      flops: 4 * batch * pairs * channels,
      bytes: 2 * byteLength(q) + byteLength(k) + byteLength(v),
    },
  };
}

export function attentionReference(
  { q, k, v }: { q: Float32Array; k: Float32Array; v: Float32Array },
  {
    heads,
    causal = false,
    batch,
    queries,
    keys,
  }: AttentionConstants & { batch: number; queries: number; keys: number },
): Float32Array {
  const channels = q.length / (batch * queries);
  const headDim = channels / heads;
  const kvBatch = k.length / (keys * channels);
  const y = new Float32Array(q.length);
  const scores = new Float64Array(keys);
  const sums = new Float64Array(headDim);
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < queries; i++) {
      for (let h = 0; h < heads; h++) {
        const qAt = (n * queries + i) * channels + h * headDim;
        const kvAt = (kvBatch === 1 ? 0 : n * keys * channels) + h * headDim;
        const seen = causal ? i + 1 : keys;
        for (let j = 0; j < seen; j++) {
          let dot = 0;
          for (let c = 0; c < headDim; c++) {
            dot += (q[qAt + c] ?? 0) * (k[kvAt + j * channels + c] ?? 0);
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
            sums[c] = (sums[c] ?? 0) + p * (v[kvAt + j * channels + c] ?? 0);
          }
        }
        for (let c = 0; c < headDim; c++) y[qAt + c] = (sums[c] ?? 0) / total;
      }
    }
  }
  return y;
}
