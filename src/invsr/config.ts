/**
 * The models' config.json files, read into the few facts the graphs need. Anything a graph would
 * silently get wrong (another block type, a scale-shift time embedding) is refused by name.
 *
 * Field names on the left are ours, strings in quotes are diffusers' own.
 */

import { Fields } from './config-fields.ts';

export interface UNetConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels at each resolution, highest first. */
  readonly channels: readonly number[];
  /** Whether each level has transformers. */
  readonly downAttention: readonly boolean[];
  readonly upAttention: readonly boolean[];
  /** Attention heads at each resolution. */
  readonly heads: readonly number[];
  readonly resnetsPerLevel: readonly number[];
  readonly transformersPerBlock: readonly number[];
  readonly contextChannels: number;
  readonly groups: number;
  readonly eps: number;
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
}

export interface VaeConfig {
  readonly imageChannels: number;
  readonly latentChannels: number;
  readonly channels: readonly number[];
  readonly resnetsPerLevel: number;
  readonly groups: number;
  readonly scalingFactor: number;
  readonly midAttention: boolean;
}

export interface NoisePredictorConfig {
  readonly imageChannels: number;
  readonly latentChannels: number;
  readonly channels: readonly number[];
  readonly attention: readonly boolean[];
  readonly midAttention: boolean;
  readonly resnetsPerLevel: readonly number[];
  /** Channels per head; null means one head. */
  readonly headDim: number | null;
  readonly groups: number;
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
}

export interface TextEncoderConfig {
  readonly layers: number;
  readonly heads: number;
  readonly channels: number;
  /** Tokens of every prompt, padding included. */
  readonly positions: number;
  readonly vocabulary: number;
  readonly activation: 'gelu' | 'quickGelu';
  readonly eps: number;
}

export interface SchedulerConfig {
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly trainTimesteps: number;
}

export function readUNetConfig(text: string, file: string): UNetConfig {
  const f = new Fields(text, file);
  f.only('_class_name', 'UNet2DConditionModel');
  f.only('act_fn', 'silu', 'swish');
  f.only('mid_block_type', 'UNetMidBlock2DCrossAttn');
  f.only('resnet_time_scale_shift', 'default');
  f.only('time_embedding_type', 'positional');
  f.only('center_input_sample', false);
  f.only('dual_cross_attention', false);
  f.only('only_cross_attention', false);
  f.only('downsample_padding', 1);
  f.only('mid_block_scale_factor', 1);
  f.only('conv_in_kernel', 3);
  f.only('conv_out_kernel', 3);
  for (const field of ['class_embed_type', 'addition_embed_type', 'encoder_hid_dim_type'])
    f.only(field);
  for (const field of ['num_class_embeds', 'time_cond_proj_dim', 'attention_type'])
    f.only(field, 'default');

  const groups = f.integer('norm_num_groups', 32);
  const channels = f.channels(groups);
  const levels = channels.length;
  const downAttention = f.types(
    'down_block_types',
    { CrossAttnDownBlock2D: true, DownBlock2D: false },
    levels,
  );
  const upAttention = f.types(
    'up_block_types',
    { CrossAttnUpBlock2D: true, UpBlock2D: false },
    levels,
  );
  // diffusers' historical misnomer: "attention_head_dim" is the number of heads.
  const headsField = f.has('num_attention_heads') ? 'num_attention_heads' : 'attention_head_dim';
  const heads = f.integers(headsField, levels, 8);
  for (const [level, c] of channels.entries()) {
    const isLast = level === levels - 1; // the mid block attends
    const attends = isLast || downAttention[level] || upAttention[levels - 1 - level];
    if (attends && (c / (heads[level] ?? 1)) % 4 !== 0) {
      f.fail(headsField, heads, `heads of a multiple of 4 channels; level ${level} has ${c}`);
    }
  }
  return {
    inChannels: f.integer('in_channels'),
    outChannels: f.integer('out_channels'),
    channels,
    downAttention,
    upAttention,
    heads,
    resnetsPerLevel: f.integers('layers_per_block', levels),
    transformersPerBlock: f.integers('transformer_layers_per_block', levels, 1),
    contextChannels: f.integer('cross_attention_dim'),
    groups,
    eps: f.number('norm_eps', 1e-5),
    flipSinToCos: f.boolean('flip_sin_to_cos', true),
    freqShift: f.number('freq_shift', 0),
  };
}

export function readVaeConfig(text: string, file: string): VaeConfig {
  const f = new Fields(text, file);
  f.only('_class_name', 'AutoencoderKL');
  f.only('act_fn', 'silu', 'swish');
  f.only('shift_factor', 0);
  f.only('use_quant_conv', true);
  f.only('use_post_quant_conv', true);
  const groups = f.integer('norm_num_groups', 32);
  const channels = f.channels(groups);
  f.types('down_block_types', { DownEncoderBlock2D: true }, channels.length);
  f.types('up_block_types', { UpDecoderBlock2D: true }, channels.length);
  const imageChannels = f.integer('in_channels', 3);
  if (imageChannels !== 3) f.fail('in_channels', imageChannels, '3 (RGB)');
  f.only('out_channels', 3);
  return {
    imageChannels,
    latentChannels: f.integer('latent_channels', 4),
    channels,
    resnetsPerLevel: f.integer('layers_per_block'),
    groups,
    scalingFactor: f.number('scaling_factor', 0.18215),
    midAttention: f.boolean('mid_block_add_attention', true),
  };
}

export function readNoisePredictorConfig(text: string, file: string): NoisePredictorConfig {
  const f = new Fields(text, file);
  f.only('_class_name', 'NoisePredictor');
  f.only('act_fn', 'silu', 'swish');
  f.only('resnet_time_scale_shift', 'default');
  f.only('double_z', true);
  const groups = f.integer('norm_num_groups', 32);
  const channels = f.channels(groups);
  const imageChannels = f.integer('in_channels', 3);
  if (imageChannels !== 3) f.fail('in_channels', imageChannels, '3 (RGB)');
  const attention = f.types(
    'down_block_types',
    { AttnDownBlock2D: true, DownBlock2D: false },
    channels.length,
  );
  const midAttention = f.boolean('mid_block_add_attention', true);
  const headDim = f.optionalInteger('attention_head_dim');
  const isLast = (level: number): boolean => level === channels.length - 1;
  const attended = channels.filter((_, i) => attention[i] || (midAttention && isLast(i)));
  if (headDim !== null && (headDim % 4 !== 0 || attended.some((c) => c < headDim))) {
    f.fail('attention_head_dim', headDim, 'a multiple of 4, at most the channels of every level');
  }
  return {
    imageChannels,
    latentChannels: f.integer('latent_channels', 4),
    channels,
    attention,
    midAttention,
    resnetsPerLevel: f.integers('layers_per_block', channels.length),
    headDim,
    groups,
    flipSinToCos: f.boolean('flip_sin_to_cos', true),
    freqShift: f.number('freq_shift', 0),
  };
}

/** CLIPTextModel of transformers. */
export function readTextEncoderConfig(text: string, file: string): TextEncoderConfig {
  const f = new Fields(text, file);
  f.only('model_type', 'clip_text_model');
  f.only('hidden_act', 'gelu', 'quick_gelu');
  const channels = f.integer('hidden_size');
  const heads = f.integer('num_attention_heads');
  if (channels % (4 * heads) !== 0) {
    f.fail(
      'num_attention_heads',
      heads,
      `heads of a multiple of 4 channels; there are ${channels}`,
    );
  }
  const layers = f.integer('num_hidden_layers');
  // SD 2 takes the last layer but one of OpenCLIP. Its files end with that layer and say so by their
  // number of layers; files that have them all say by diffusers' name how many to leave out.
  const skipped = f.optionalInteger('clip_skip') ?? 0;
  if (skipped >= layers) f.fail('clip_skip', skipped, `less than num_hidden_layers, ${layers}`);
  return {
    layers: layers - skipped,
    heads,
    channels,
    positions: f.integer('max_position_embeddings', 77),
    vocabulary: f.integer('vocab_size', 49408),
    activation: f.text('hidden_act', 'quick_gelu') === 'gelu' ? 'gelu' : 'quickGelu',
    eps: f.number('layer_norm_eps', 1e-5),
  };
}

export function readSchedulerConfig(text: string, file: string): SchedulerConfig {
  const f = new Fields(text, file);
  // timestep_spacing and steps_offset do not matter: InvSR sets its own timesteps.
  f.only('_class_name', 'EulerDiscreteScheduler');
  f.only('beta_schedule', 'scaled_linear');
  f.only('prediction_type', 'epsilon');
  f.only('interpolation_type', 'linear');
  f.only('trained_betas');
  for (const field of ['use_karras_sigmas', 'use_exponential_sigmas', 'use_beta_sigmas'])
    f.only(field, false);
  f.only('rescale_betas_zero_snr', false);
  f.only('final_sigmas_type', 'zero');
  return {
    betaStart: f.number('beta_start'),
    betaEnd: f.number('beta_end'),
    trainTimesteps: f.integer('num_train_timesteps', 1000),
  };
}
