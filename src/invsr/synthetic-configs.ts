/**
 * Config files of the synthetic models, as `invsr weights synth` writes them.
 *
 * full: the architecture of SD-Turbo and of InvSR's official noise predictor. tiny: the same
 * structure in a thousandth of the size, which the goldens of the official code were made with.
 */
import type { ClipJson, NoisePredictorJson, UNetJson, VaeJson } from './model-keys.ts';

/** Fields that the files have besides those that matter for names and shapes. */
type Json = Readonly<Record<string, unknown>>;

export interface SyntheticConfigs {
  readonly unet: UNetJson & Json;
  readonly vae: VaeJson & Json;
  readonly noise_predictor: NoisePredictorJson & Json;
  readonly text_encoder: ClipJson & Json;
  readonly scheduler: object;
}

const VERSION = { _diffusers_version: '0.24.0.dev0' };

const UNET = {
  _class_name: 'UNet2DConditionModel',
  ...VERSION,
  in_channels: 4,
  out_channels: 4,
  center_input_sample: false,
  flip_sin_to_cos: true,
  freq_shift: 0,
  down_block_types: [
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'DownBlock2D',
  ],
  mid_block_type: 'UNetMidBlock2DCrossAttn',
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
  only_cross_attention: false,
  layers_per_block: 2,
  downsample_padding: 1,
  mid_block_scale_factor: 1,
  act_fn: 'silu',
  norm_eps: 1e-5,
  dual_cross_attention: false,
  use_linear_projection: true,
};

const VAE = {
  _class_name: 'AutoencoderKL',
  ...VERSION,
  in_channels: 3,
  out_channels: 3,
  down_block_types: Array<string>(4).fill('DownEncoderBlock2D'),
  up_block_types: Array<string>(4).fill('UpDecoderBlock2D'),
  layers_per_block: 2,
  act_fn: 'silu',
  latent_channels: 4,
  scaling_factor: 0.18215,
  force_upcast: true,
};

const NOISE_PREDICTOR = {
  _class_name: 'NoisePredictor',
  in_channels: 3,
  down_block_types: ['AttnDownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'AttnUpBlock2D'],
  layers_per_block: [3, 3],
  act_fn: 'silu',
  latent_channels: 4,
  mid_block_add_attention: true,
  resnet_time_scale_shift: 'default',
  freq_shift: 0,
  flip_sin_to_cos: true,
  double_z: true,
};

const TEXT_ENCODER = {
  architectures: ['CLIPTextModel'],
  model_type: 'clip_text_model',
  torch_dtype: 'float16',
  vocab_size: 49408,
  projection_dim: 512,
  max_position_embeddings: 77,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-5,
  attention_dropout: 0,
  bos_token_id: 0,
  eos_token_id: 2,
  pad_token_id: 1,
};

const SCHEDULER = {
  _class_name: 'EulerDiscreteScheduler',
  ...VERSION,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  num_train_timesteps: 1000,
  prediction_type: 'epsilon',
  interpolation_type: 'linear',
  timestep_spacing: 'trailing',
  steps_offset: 1,
  use_karras_sigmas: false,
  trained_betas: null,
  clip_sample: false,
  sample_max_value: 1,
  set_alpha_to_one: false,
  skip_prk_steps: true,
};

export const SIZES = {
  full: {
    unet: {
      ...UNET,
      sample_size: 64,
      block_out_channels: [320, 640, 1280, 1280],
      norm_num_groups: 32,
      cross_attention_dim: 1024,
      // Numbers of heads, in spite of the name: 64 channels each.
      attention_head_dim: [5, 10, 20, 20],
    },
    vae: {
      ...VAE,
      sample_size: 768,
      block_out_channels: [128, 256, 512, 512],
      norm_num_groups: 32,
    },
    noise_predictor: {
      ...NOISE_PREDICTOR,
      sample_size: 128,
      block_out_channels: [256, 512],
      norm_num_groups: 32,
      temb_channels: 512,
      attention_head_dim: 64,
    },
    text_encoder: {
      ...TEXT_ENCODER,
      hidden_size: 1024,
      intermediate_size: 4096,
      num_hidden_layers: 23,
      num_attention_heads: 16,
    },
    scheduler: SCHEDULER,
  },
  tiny: {
    unet: {
      ...UNET,
      sample_size: 16,
      block_out_channels: [32, 48, 64, 64],
      norm_num_groups: 8,
      cross_attention_dim: 64,
      attention_head_dim: [2, 3, 4, 4],
    },
    vae: { ...VAE, sample_size: 128, block_out_channels: [16, 32, 64, 64], norm_num_groups: 8 },
    noise_predictor: {
      ...NOISE_PREDICTOR,
      sample_size: 32,
      block_out_channels: [32, 64],
      norm_num_groups: 8,
      temb_channels: 64,
      attention_head_dim: 16,
    },
    text_encoder: {
      ...TEXT_ENCODER,
      hidden_size: 64,
      intermediate_size: 256,
      num_hidden_layers: 2,
      num_attention_heads: 4,
    },
    scheduler: SCHEDULER,
  },
} as const satisfies Readonly<Record<string, SyntheticConfigs>>;

/** The index that diffusers' pipelines look for; safety checker and feature extractor are none. */
export const MODEL_INDEX = {
  _class_name: 'StableDiffusionPipeline',
  ...VERSION,
  feature_extractor: [null, null],
  image_encoder: [null, null],
  requires_safety_checker: true,
  safety_checker: [null, null],
  scheduler: ['diffusers', 'EulerDiscreteScheduler'],
  text_encoder: ['transformers', 'CLIPTextModel'],
  tokenizer: ['transformers', 'CLIPTokenizer'],
  unet: ['diffusers', 'UNet2DConditionModel'],
  vae: ['diffusers', 'AutoencoderKL'],
};
