import { format, type TensorType } from '../../src/engine/kernel.ts';
import {
  attention,
  type AttentionConstants,
  attentionReference,
} from '../../src/kernels/attention.ts';
import { normal } from '../harness/random.ts';
import { inDesign, type KernelCase } from './cases.ts';

interface Spec {
  readonly dtype?: 'f32' | 'f16';
  readonly kvDtype?: 'f32' | 'f16';
  readonly q: readonly [batch: number, length: number, channels: number];
  /** @default self-attention */
  readonly kv?: readonly [batch: number, length: number];
  readonly heads?: number;
  readonly causal?: boolean;
  /** Channels of each row and where q, k and v begin in it: as packed outputs of one product. */
  readonly packed?: {
    readonly widths: readonly [q: number, k: number, v: number];
    readonly offsets: NonNullable<AttentionConstants['offsets']>;
  };
  /** One that these sizes have on GPUs or CPUs; the others keep theirs. @default the factory's choice */
  readonly design?: string;
  /** Standard deviation of q and k. @default 1 */
  readonly std?: number;
  readonly tags?: KernelCase['tags'];
  readonly maxNmse?: number;
}

export function attentionCase({
  dtype = 'f32',
  kvDtype = dtype,
  q: [batch, queries, channels],
  kv: [kvBatch, keys] = [batch, queries],
  heads = 1,
  causal = false,
  packed,
  design,
  std = 1,
  tags = ['edge'],
  maxNmse,
}: Spec): KernelCase {
  const [qWidth, kWidth, vWidth] = packed?.widths ?? [channels, channels, channels];
  const q: TensorType = { dtype, shape: [batch, queries, qWidth] };
  const k: TensorType = { dtype: kvDtype, shape: [kvBatch, keys, kWidth] };
  const v: TensorType = { dtype: kvDtype, shape: [kvBatch, keys, vWidth] };
  const constants = { heads, causal, ...(packed && { channels, offsets: packed.offsets }) };
  const suffix = [
    causal && ' causal',
    std !== 1 && ` std ${std}`,
    design && ` ${design}`,
    packed && ` c${channels} at ${Object.values(packed.offsets).join(',')}`,
  ];
  return {
    name: `attention ${format(q)} × ${format(k)} h${heads}${suffix.filter(Boolean).join('')}`,
    tags,
    ...(design && { families: ['alu'] }),
    inputs: { q, k, v },
    data: (name, { shape }, seed) =>
      normal(
        shape.reduce((a, b) => a * b, 1),
        seed,
        { std: name === 'v' ? 1 : std },
      ),
    kernel: (target) => inDesign(design, (t) => attention({ q, k, v }, constants, t), target),
    reference: (data) =>
      attentionReference(data as Record<'q' | 'k' | 'v', Float32Array>, {
        ...constants,
        batch,
        kvBatch,
        queries,
        keys,
      }),
    ...(maxNmse && { maxNmse }),
  };
}

/** Few head sizes and types on purpose: each is a pipeline of 2-10 s of lavapipe's JIT per family. */
export const cases: readonly KernelCase[] = [
  attentionCase({ q: [1, 1, 4] }),
  attentionCase({ q: [1, 1, 16], kv: [1, 77] }),
  attentionCase({ q: [1, 70, 24], kv: [1, 1], heads: 2 }),
  attentionCase({ q: [2, 9, 24], kv: [2, 33], heads: 2 }),
  attentionCase({ q: [2, 9, 24], kv: [1, 7], heads: 2 }), // one k and v for both batch entries
  attentionCase({ dtype: 'f16', q: [3, 33, 32], kv: [1, 77], heads: 2 }),
  attentionCase({ q: [1, 17, 16], kv: [1, 20], kvDtype: 'f16' }),
  attentionCase({ q: [1, 12, 320], kv: [1, 35], heads: 2 }), // d 160
  attentionCase({ q: [1, 40, 512] }),
  // Scores of ±3000 as exponents carry 2^-12 of rounding, which the few near ties see.
  attentionCase({ q: [1, 64, 16], std: 30, maxNmse: 1e-9 }),
  attentionCase({ dtype: 'f16', q: [1, 40, 128], kv: [1, 77], heads: 2, std: 30 }),
  // one query; blocks and tiles that end in the middle; batches; a head of 160 channels
  attentionCase({ q: [1, 1, 16], causal: true }),
  attentionCase({ q: [2, 77, 32], heads: 2, causal: true }),
  attentionCase({ dtype: 'f16', q: [2, 33, 64], heads: 2, causal: true }),
  attentionCase({ q: [1, 40, 320], heads: 2, causal: true }),
  // q packed alone; k and v of one tensor, for both batch entries; all three of one, k before q
  attentionCase({
    q: [2, 9, 24],
    kv: [2, 33],
    heads: 2,
    packed: { widths: [40, 24, 24], offsets: { q: 12, k: 0, v: 0 } },
  }),
  attentionCase({
    dtype: 'f16',
    q: [3, 33, 32],
    kv: [1, 77],
    heads: 2,
    packed: { widths: [32, 64, 64], offsets: { q: 0, k: 0, v: 32 } },
  }),
  attentionCase({
    q: [2, 35, 16],
    packed: { widths: [48, 48, 48], offsets: { q: 16, k: 0, v: 32 } },
  }),
  // later keys far above the seen ones: one that leaks would be all of the output
  attentionCase({ q: [1, 35, 16], std: 30, causal: true, maxNmse: 1e-9 }),
  // designs that are not the first choice of any case above; wider heads
  attentionCase({ dtype: 'f16', q: [1, 70, 64], kv: [1, 45], design: 'flash4x4' }),
  attentionCase({ dtype: 'f16', q: [1, 70, 64], kv: [1, 45], design: 'flash8x4half' }),
  attentionCase({ dtype: 'f16', q: [1, 70, 128], kv: [1, 45], design: 'flash4x4half' }),
  attentionCase({ dtype: 'f16', q: [1, 70, 64], kv: [1, 45], design: 'tiles' }),
  attentionCase({ q: [1, 70, 64], kv: [1, 45], design: 'flash8x4' }),
  attentionCase({ q: [1, 70, 96], kv: [1, 45] }),
  // lanes: blocks of 128 keys and groups of 16 channels that end in the middle
  attentionCase({ dtype: 'f16', q: [2, 19, 512], kv: [1, 150] }),
  attentionCase({ q: [1, 150, 72], causal: true }),
  attentionCase({ q: [2, 150, 40], causal: true, design: 'lanes4' }),
  attentionCase({ dtype: 'f16', q: [1, 70, 64], kv: [1, 150], design: 'lanes4' }),
  // sums over many keys
  attentionCase({ q: [1, 70, 64], kv: [1, 4096] }),
  // nano
  attentionCase({ dtype: 'f16', q: [1, 1024, 32], heads: 2, tags: ['real', 'perf'] }),
  attentionCase({ q: [1, 256, 32], heads: 2, tags: ['real'] }),
  attentionCase({ dtype: 'f16', q: [1, 64, 32], kv: [1, 77], heads: 2, tags: ['real'] }),
  attentionCase({ dtype: 'f16', q: [1, 512, 32], tags: ['real'] }),
  // the VAE's and the noise predictor's largest is four times as many tokens: 3.2 GFLOP
  attentionCase({ dtype: 'f16', q: [1, 1024, 48], tags: ['real', 'perf'] }),
  // SD-Turbo's lowest levels
  attentionCase({ dtype: 'f16', q: [1, 64, 1280], heads: 20, tags: ['real'] }),
  attentionCase({ dtype: 'f16', q: [1, 64, 1280], kv: [1, 77], heads: 20, tags: ['real'] }),
  // its text encoder's
  attentionCase({ q: [1, 77, 1024], heads: 16, causal: true, tags: ['real', 'perf'] }),
];
