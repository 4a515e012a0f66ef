/**
 * Models that have nothing in common with the official ones but their architecture.
 *
 * Their depth keeps rounding errors within the gates: with random weights every transformer more
 * amplifies them (two per block in all of `threeLevels`: f32 3e-5, f16 5e-2).
 */
import type { ModelDescription } from '../harness/synthetic-models.ts';

export interface GeneraliseCase extends ModelDescription {
  readonly tile: number;
  readonly batch: number;
  readonly timesteps: readonly number[];
  readonly cfg: number;
}

/** Two levels; transformers not where they are in SD-Turbo, and not mirrored; 1x1 convolutions. */
const twoLevels: GeneraliseCase = {
  tile: 16,
  batch: 1,
  timesteps: [200],
  cfg: 1,
  promptLength: 5,
  unet: {
    in_channels: 3,
    out_channels: 3,
    block_out_channels: [24, 40],
    down_block_types: ['DownBlock2D', 'CrossAttnDownBlock2D'],
    up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
    layers_per_block: [1, 2],
    norm_num_groups: 4,
    norm_eps: 1e-2,
    cross_attention_dim: 20,
    attention_head_dim: [1, 2],
    use_linear_projection: false,
    flip_sin_to_cos: false,
    freq_shift: 1,
  },
  vae: {
    block_out_channels: [8, 12, 16, 20],
    layers_per_block: 1,
    latent_channels: 3,
    norm_num_groups: 4,
    scaling_factor: 0.5,
  },
  noise_predictor: {
    block_out_channels: [16, 24],
    down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
    layers_per_block: [1, 2],
    latent_channels: 3,
    norm_num_groups: 8,
    temb_channels: 20,
    attention_head_dim: null,
    flip_sin_to_cos: false,
    freq_shift: 1,
  },
};

/** Three levels, deep; context and latent channels that are no multiples of 4; a long prompt; old VAE. */
const threeLevels: GeneraliseCase = {
  tile: 16,
  batch: 3,
  timesteps: [250, 100],
  cfg: 1,
  promptLength: 130,
  isOldVae: true,
  unet: {
    in_channels: 5,
    out_channels: 5,
    block_out_channels: [24, 40, 56],
    down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D', 'CrossAttnDownBlock2D'],
    up_block_types: ['CrossAttnUpBlock2D', 'UpBlock2D', 'CrossAttnUpBlock2D'],
    layers_per_block: 3,
    norm_num_groups: 4,
    cross_attention_dim: 18,
    attention_head_dim: 2,
    transformer_layers_per_block: [1, 1, 2],
    use_linear_projection: true,
  },
  vae: {
    block_out_channels: [12, 12, 24, 36],
    layers_per_block: 2,
    latent_channels: 5,
    norm_num_groups: 3,
    scaling_factor: 1.25,
  },
  noise_predictor: {
    block_out_channels: [24, 40],
    down_block_types: ['AttnDownBlock2D', 'DownBlock2D'],
    layers_per_block: 2,
    latent_channels: 5,
    norm_num_groups: 4,
    temb_channels: 48,
    attention_head_dim: 8,
  },
};

/** One level, no attention outside the UNet, large tile. */
const oneLevel: GeneraliseCase = {
  tile: 48,
  batch: 1,
  timesteps: [1000],
  cfg: 1,
  promptLength: 1,
  unet: {
    in_channels: 8,
    out_channels: 8,
    block_out_channels: [32],
    down_block_types: ['CrossAttnDownBlock2D'],
    up_block_types: ['UpBlock2D'],
    layers_per_block: 1,
    norm_num_groups: 8,
    cross_attention_dim: 4,
    attention_head_dim: 4,
  },
  vae: {
    block_out_channels: [8, 8, 8, 8],
    layers_per_block: 1,
    latent_channels: 8,
    norm_num_groups: 2,
    scaling_factor: 0.18215,
    mid_block_add_attention: false,
  },
  noise_predictor: {
    block_out_channels: [8, 16],
    down_block_types: ['DownBlock2D', 'DownBlock2D'],
    layers_per_block: 1,
    latent_channels: 8,
    norm_num_groups: 1,
    temb_channels: 32,
    attention_head_dim: 16,
    mid_block_add_attention: false,
  },
};

/** Five levels down to one pixel, lists everywhere, a group per channel at the top, guidance. */
const fiveLevels: GeneraliseCase = {
  tile: 16,
  batch: 2,
  timesteps: [120],
  cfg: 2.5,
  promptLength: 33,
  unet: {
    in_channels: 16,
    out_channels: 16,
    block_out_channels: [8, 16, 16, 24, 32],
    down_block_types: [
      'CrossAttnDownBlock2D',
      'CrossAttnDownBlock2D',
      'DownBlock2D',
      'CrossAttnDownBlock2D',
      'DownBlock2D',
    ],
    up_block_types: [
      'UpBlock2D',
      'UpBlock2D',
      'CrossAttnUpBlock2D',
      'CrossAttnUpBlock2D',
      'UpBlock2D',
    ],
    layers_per_block: [2, 1, 3, 1, 1],
    norm_num_groups: 8,
    cross_attention_dim: 28,
    attention_head_dim: [2, 4, 1, 3, 2],
    transformer_layers_per_block: [1, 2, 1, 1, 3],
  },
  vae: {
    block_out_channels: [16, 8, 24, 16],
    layers_per_block: 3,
    latent_channels: 16,
    norm_num_groups: 8,
    scaling_factor: 0.9,
  },
  noise_predictor: {
    block_out_channels: [144, 40],
    down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
    layers_per_block: [1, 3],
    latent_channels: 16,
    norm_num_groups: 8,
    temb_channels: 64,
    attention_head_dim: 16, // 40 channels: two heads of 16
  },
};

export const CASES = { twoLevels, threeLevels, oneLevel, fiveLevels } as const;
