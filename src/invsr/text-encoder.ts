/**
 * CLIPTextModel, the text encoder of Stable Diffusion: OpenCLIP ViT-H's in SD 2 and SD-Turbo.
 *
 *   tokens    [1, L, C] f32    rows of the token embedding, L the encoder's positions
 *   returns   [1, L, C]        states of all positions after the final norm
 *
 * Pre-norm transformer blocks with causal attention; padding is not masked.
 * https://github.com/huggingface/transformers/blob/v4.46.3/src/transformers/models/clip/modeling_clip.py
 *
 * The token embedding (49,408 rows in SD 2: 100 MB) stays on disk; `readTokenRows` reads the few
 * rows a prompt has.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Tensor } from '../graph/graph.ts';
import type { Weights } from '../graph/weights.ts';
import { allDone } from '../weights/all-done.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import { toF32 } from '../weights/layout.ts';
import { DTYPE_BITS } from '../weights/safetensors-header.ts';
import { readPart } from '../weights/tensor-reads.ts';
import { ConfigError } from './errors.ts';
import type { TextEncoderConfig } from './config.ts';

const TOKEN_EMBEDDING = 'text_model.embeddings.token_embedding.weight';

export function textEncoder(
  g: GraphBuilder,
  tokens: Tensor,
  w: Weights,
  config: TextEncoderConfig,
): Tensor {
  const model = w.at('text_model');
  const embeddings = model.at('embeddings');
  const positions = embeddings.at('position_embedding').get('weight', 'rows', 'f32'); // [L, C]
  let x = g.affine(
    embeddings.path,
    { a: tokens, b: g.reshape(positions, tokens.shape) },
    { alpha: 1, beta: 1, dtype: g.precision },
  );
  for (let i = 0; i < config.layers; i++) {
    x = encoderLayer(g, x, model.at(`encoder.layers.${i}`), config);
  }
  return g.layerNorm(x, model.at('final_layer_norm'), config);
}

/** x += attention(norm(x)); x += mlp(norm(x)), over x [1, L, C]. */
function encoderLayer(
  g: GraphBuilder,
  x: Tensor,
  w: Weights,
  { heads, activation, eps }: TextEncoderConfig,
): Tensor {
  const attn = w.at('self_attn');
  const s = g.layerNorm(x, w.at('layer_norm1'), { eps });
  const q = g.linear(s, attn.at('q_proj'));
  const k = g.linear(s, attn.at('k_proj'));
  const v = g.linear(s, attn.at('v_proj'));
  const mixed = g.attention(attn.path, { q, k, v }, { heads, causal: true });
  const h = g.linear(mixed, attn.at('out_proj'), { residual: x });

  const mlp = w.at('mlp');
  const wide = g.linear(g.layerNorm(h, w.at('layer_norm2'), { eps }), mlp.at('fc1'), {
    activation,
  });
  return g.linear(wide, mlp.at('fc2'), { residual: h });
}

/** Rows `ids` of the token embedding, one after another: [L, C] f32. */
export async function readTokenRows(
  checkpoint: Checkpoint,
  ids: readonly number[],
  { vocabulary, channels }: TextEncoderConfig,
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const entry = checkpoint.tensors.get(TOKEN_EMBEDDING);
  if (!entry || entry.shape.join() !== `${vocabulary},${channels}`) {
    throw new ConfigError(
      `${checkpoint.name}: ${TOKEN_EMBEDDING} is ${entry ? `[${entry.shape.join(',')}]` : 'missing'}, expected [${vocabulary},${channels}] by its config.json`,
    );
  }
  const wrong = ids.find((id) => id >= vocabulary);
  if (wrong !== undefined) {
    throw new ConfigError(
      `${checkpoint.name}: the tokenizer gives token ${wrong}, the encoder knows ${vocabulary}; they are of different models`,
    );
  }
  const bytes = (channels * DTYPE_BITS[entry.dtype]) / 8;
  // All at once: over a network neighbours are one request, and none waits for another (merge-reads.ts).
  const reads = [...new Set(ids)].map(async (id) => {
    const part = { begin: id * bytes, length: bytes };
    const row = await readPart(`${checkpoint.name}: ${TOKEN_EMBEDDING}`, entry, part, signal);
    return [id, toF32({ name: TOKEN_EMBEDDING, dtype: entry.dtype, bytes: row })] as const;
  });
  const rows = new Map(await allDone(reads));
  const table = new Float32Array(ids.length * channels);
  for (const [i, id] of ids.entries()) table.set(rows.get(id) ?? [], i * channels);
  return table;
}
