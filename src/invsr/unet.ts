/**
 * UNet2DConditionModel of Stable Diffusion 1.x/2.x, hence of SD-Turbo.
 *
 *   latent   [N, H, W, inChannels]      scaled noisy latent, any H and W
 *   context  [N or 1, L, contextChannels]  prompt states
 *   returns  [N, H, W, outChannels] f32    predicted noise
 *
 * Layer names match the checkpoint's, so one grep finds a layer here, in the file and in errors:
 * https://github.com/huggingface/diffusers/blob/v0.30.3/src/diffusers/models/unets/unet_2d_condition.py
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Weights } from '../graph/weights.ts';
import type { Tensor } from '../graph/graph.ts';
import {
  expectChannels,
  normActConvOut,
  resnet,
  sizeOfImage,
  timeEmbedding,
  upsample,
} from './blocks.ts';
import type { UNetConfig } from './config.ts';

/** The transformer's own group norm, whatever the config's norm_eps. */
const TRANSFORMER_NORM_EPS = 1e-6;
const LAYER_NORM_EPS = 1e-5;

export function unet(
  g: GraphBuilder,
  { latent, context, timestep }: { latent: Tensor; context: Tensor; timestep: number },
  w: Weights,
  config: UNetConfig,
): Tensor {
  const { channels, groups, eps } = config;
  const last = channels.length - 1;
  const temb = timeEmbedding(g, w, { ...config, timestep, dim: channels[0] ?? 0 });
  const layer = (x: Tensor, block: Weights, j: number, level: number, attends: boolean): Tensor => {
    const h = resnet(g, x, block.at(`resnets.${j}`), { groups, eps, temb });
    return attends ? transformer(g, h, context, block.at(`attentions.${j}`), level, config) : h;
  };

  let x = g.conv2d(latent, w.at('conv_in')); // [N, H, W, channels[0]]
  expectChannels(x, w.at('conv_in'), channels[0]);
  const skips = [x];
  for (const [i, attends] of config.downAttention.entries()) {
    const block = w.at(`down_blocks.${i}`);
    for (let j = 0; j < (config.resnetsPerLevel[i] ?? 0); j++) {
      x = layer(x, block, j, i, attends);
      skips.push(x);
    }
    expectChannels(x, block, channels[i]);
    if (i < last) {
      x = g.conv2d(x, block.at('downsamplers.0.conv'), { stride: 2 });
      skips.push(x);
    }
  } // [N, ⌈H/8⌉, ⌈W/8⌉, channels[3]] with four levels

  const mid = w.at('mid_block');
  x = layer(x, mid, 0, last, true);
  x = resnet(g, x, mid.at('resnets.1'), { groups, eps, temb });

  for (const [i, attends] of config.upAttention.entries()) {
    const block = w.at(`up_blocks.${i}`);
    const level = last - i;
    for (let j = 0; j <= (config.resnetsPerLevel[level] ?? 0); j++) {
      x = layer(g.concatChannels(block.path, x, pop(skips)), block, j, level, attends);
    }
    expectChannels(x, block, channels[level]);
    // To the next skip's size: twice the input, unless a side did not divide evenly on the way down.
    const next = skips.at(-1);
    if (i < last && next) x = upsample(g, x, block.at('upsamplers.0'), sizeOfImage(next));
  } // [N, H, W, channels[0]]

  return normActConvOut(g, x, w, { groups, eps });
}

/** Transformer2DModel: self-attention, cross-attention and GEGLU over the pixels as a sequence. */
export function transformer(
  g: GraphBuilder,
  x: Tensor,
  context: Tensor,
  w: Weights,
  level: number,
  { groups, heads, transformersPerBlock }: UNetConfig,
): Tensor {
  const [n = 1, h = 1, width = 1, c = 1] = x.shape;
  const normed = g.groupNorm(x, w.at('norm'), { groups, eps: TRANSFORMER_NORM_EPS });
  let s = g.linear(g.reshape(normed, [n, h * width, c]), w.at('proj_in')); // [N, H·W, C]
  for (let i = 0; i < (transformersPerBlock[level] ?? 1); i++) {
    s = transformerBlock(g, s, context, w.at(`transformer_blocks.${i}`), heads[level] ?? 1);
  }
  const residual = g.reshape(x, [n, h * width, c]);
  return g.reshape(g.linear(s, w.at('proj_out'), { residual }), x.shape);
}

/** BasicTransformerBlock over s [N, L, C]. */
export function transformerBlock(
  g: GraphBuilder,
  s: Tensor,
  context: Tensor,
  w: Weights,
  heads: number,
): Tensor {
  const attend = (query: Tensor, source: Tensor, a: Weights, residual: Tensor): Tensor => {
    const q = g.linear(query, a.at('to_q'));
    const k = g.linear(source, a.at('to_k'));
    const v = g.linear(source, a.at('to_v'));
    return g.linear(g.attention(a.path, { q, k, v }, { heads }), a.at('to_out.0'), { residual });
  };
  const norm = (t: Tensor, name: string): Tensor =>
    g.layerNorm(t, w.at(name), { eps: LAYER_NORM_EPS });

  const normed = norm(s, 'norm1');
  let h = attend(normed, normed, w.at('attn1'), s);
  h = attend(norm(h, 'norm2'), context, w.at('attn2'), h);
  const gated = g.geglu(w.at('ff.net.0').path, g.linear(norm(h, 'norm3'), w.at('ff.net.0.proj')));
  return g.linear(gated, w.at('ff.net.2'), { residual: h });
}

function pop(skips: Tensor[]): Tensor {
  const skip = skips.pop();
  if (!skip) throw new Error('UNet up path consumed more skip connections than the down path made');
  return skip;
}
