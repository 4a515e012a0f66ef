/**
 * InvSR's noise predictor (paper section 3.2): the encoder that looks at the low-resolution tile
 * and says which noise puts its upsampled latent on SD-Turbo's trajectory.
 *
 *   lr        [N, H, W, 3→4]   2·lr − 1, at LOW resolution
 *   returns   [N, ⌊H/2⌋, ⌊W/2⌋, 2·latent] f32   mean and log-variance of the noise
 *
 * With two levels there is one downsampling, so its grid is the latent grid of the x4 image. Every
 * norm has eps 1e-6. https://github.com/zsyOAOA/InvSR
 */
import { type GraphBuilder, lastAxis } from '../graph/builder.ts';
import type { Weights } from '../graph/weights.ts';
import type { Tensor } from '../graph/graph.ts';
import {
  BOTTOM_RIGHT,
  expectChannels,
  normActConvOut,
  pixelAttention,
  resnet,
  timeEmbedding,
} from './blocks.ts';
import type { NoisePredictorConfig } from './config.ts';

const EPS = 1e-6;
/** The sinusoid is at least this wide, whatever the first level's channels. */
const MIN_SINUSOID = 128;

export function noisePredictor(
  g: GraphBuilder,
  { lr, timestep }: { lr: Tensor; timestep: number },
  w: Weights,
  config: NoisePredictorConfig,
): Tensor {
  const encoder = w.at('encoder');
  const { channels, groups, headDim } = config;
  const dim = Math.max(MIN_SINUSOID, channels[0] ?? 0);
  const temb = timeEmbedding(g, encoder, { ...config, timestep, dim });
  const res = (x: Tensor, weights: Weights): Tensor =>
    resnet(g, x, weights, { groups, eps: EPS, temb });
  const attend = (x: Tensor, weights: Weights): Tensor =>
    pixelAttention(g, x, weights, {
      groups,
      eps: EPS,
      // As many whole heads as fit: the projections then have fewer channels than x.
      heads: headDim ? Math.floor(lastAxis(x) / headDim) : 1,
    });

  let x = g.conv2d(lr, encoder.at('conv_in')); // [N, H, W, channels[0]]
  expectChannels(x, encoder.at('conv_in'), channels[0]);
  for (const [i, attends] of config.attention.entries()) {
    const block = encoder.at(`down_blocks.${i}`);
    for (let j = 0; j < (config.resnetsPerLevel[i] ?? 0); j++) {
      x = res(x, block.at(`resnets.${j}`));
      if (attends) x = attend(x, block.at(`attentions.${j}`));
    }
    expectChannels(x, block, channels[i]);
    if (i < channels.length - 1) {
      x = g.conv2d(x, block.at('downsamplers.0.conv'), { stride: 2, padding: BOTTOM_RIGHT });
    }
  } // [N, H/2, W/2, channels[1]] with two levels

  const mid = encoder.at('mid_block');
  x = res(x, mid.at('resnets.0'));
  if (config.midAttention) x = attend(x, mid.at('attentions.0'));
  x = res(x, mid.at('resnets.1'));
  return normActConvOut(g, x, encoder, { groups, eps: EPS });
}
