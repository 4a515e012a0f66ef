/**
 * AutoencoderKL, Stable Diffusion's variational autoencoder.
 *
 *   encode   image [N, H, W, 3→4] in about [-1, 1] → gaussian [N, H/8, W/8, 2·latent] f32 (mean, log-variance)
 *   decode   latent [N, h, w, latent] (already divided by scaling_factor) → image [N, 8h, 8w, 3→4] f32
 *
 * Every norm has eps 1e-6; the mid block's attention has one head over all channels.
 * https://github.com/huggingface/diffusers/blob/v0.30.3/src/diffusers/models/autoencoders/vae.py
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Weights } from '../graph/weights.ts';
import type { Tensor } from '../graph/graph.ts';
import {
  BOTTOM_RIGHT,
  expectChannels,
  normActConvOut,
  pixelAttention,
  resnet,
  sizeOfImage,
  upsample,
} from './blocks.ts';
import type { VaeConfig } from './config.ts';

const EPS = 1e-6;

export function vaeEncode(g: GraphBuilder, image: Tensor, w: Weights, config: VaeConfig): Tensor {
  const encoder = w.at('encoder');
  const norm = { groups: config.groups, eps: EPS };
  let x = g.conv2d(image, encoder.at('conv_in')); // [N, H, W, channels[0]]
  expectChannels(x, encoder.at('conv_in'), config.channels[0]);
  for (const [i, channels] of config.channels.entries()) {
    const block = encoder.at(`down_blocks.${i}`);
    for (let j = 0; j < config.resnetsPerLevel; j++) {
      x = resnet(g, x, block.at(`resnets.${j}`), norm);
    }
    expectChannels(x, block, channels);
    if (i < config.channels.length - 1) {
      x = g.conv2d(x, block.at('downsamplers.0.conv'), { stride: 2, padding: BOTTOM_RIGHT });
    }
  } // [N, H/8, W/8, channels[3]] with four levels
  x = midBlock(g, x, encoder.at('mid_block'), config);
  return g.conv2d(normActConvOut(g, x, encoder, norm), w.at('quant_conv'), { dtype: 'f32' });
}

export function vaeDecode(g: GraphBuilder, latent: Tensor, w: Weights, config: VaeConfig): Tensor {
  const decoder = w.at('decoder');
  const norm = { groups: config.groups, eps: EPS };
  const z = g.conv2d(latent, w.at('post_quant_conv'), { dtype: 'f32' });
  let x = g.conv2d(z, decoder.at('conv_in')); // [N, h, w, channels[3]]
  x = midBlock(g, x, decoder.at('mid_block'), config);
  for (const [i, channels] of config.channels.toReversed().entries()) {
    const block = decoder.at(`up_blocks.${i}`);
    for (let j = 0; j <= config.resnetsPerLevel; j++) {
      x = resnet(g, x, block.at(`resnets.${j}`), norm);
    }
    expectChannels(x, block, channels);
    if (i < config.channels.length - 1) {
      const { height, width } = sizeOfImage(x);
      x = upsample(g, x, block.at('upsamplers.0'), { height: 2 * height, width: 2 * width });
    }
  } // [N, 8h, 8w, channels[0]] with four levels
  return normActConvOut(g, x, decoder, norm);
}

function midBlock(
  g: GraphBuilder,
  x: Tensor,
  w: Weights,
  { groups, midAttention }: VaeConfig,
): Tensor {
  const norm = { groups, eps: EPS };
  let h = resnet(g, x, w.at('resnets.0'), norm);
  if (midAttention) h = pixelAttention(g, h, w.at('attentions.0'), { ...norm, heads: 1 });
  return resnet(g, h, w.at('resnets.1'), norm);
}
