/**
 * The tensors a checkpoint has, name → shape, as its config.json implies them. Names are those of
 * diffusers' and transformers' state dicts, the noise predictor's those of the official code;
 * test/golden/oracle.test.ts holds the lists against the official ones.
 *
 * The graphs ask for the same names one by one while they are built; these lists exist without a
 * graph, for `invsr weights synth` and for tests.
 */
import type { Shape } from '../engine/kernel.ts';

export interface UNetJson {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly block_out_channels: readonly number[];
  readonly down_block_types: readonly string[];
  readonly up_block_types: readonly string[];
  readonly layers_per_block: number | readonly number[];
  readonly norm_num_groups: number;
  readonly cross_attention_dim: number;
  /** Number of heads, in spite of its name. */
  readonly attention_head_dim: number | readonly number[];
  readonly transformer_layers_per_block?: number | readonly number[];
  readonly use_linear_projection?: boolean;
  readonly norm_eps?: number;
  readonly flip_sin_to_cos?: boolean;
  readonly freq_shift?: number;
}

export interface VaeJson {
  readonly block_out_channels: readonly number[];
  readonly layers_per_block: number;
  readonly latent_channels: number;
  readonly norm_num_groups: number;
  readonly scaling_factor: number;
  readonly mid_block_add_attention?: boolean;
}

export interface NoisePredictorJson {
  readonly block_out_channels: readonly number[];
  readonly down_block_types: readonly string[];
  readonly layers_per_block: number | readonly number[];
  readonly latent_channels: number;
  readonly norm_num_groups: number;
  readonly temb_channels: number;
  readonly attention_head_dim: number | null;
  readonly mid_block_add_attention?: boolean;
  readonly flip_sin_to_cos?: boolean;
  readonly freq_shift?: number;
}

export interface ClipJson {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly max_position_embeddings: number;
}

export type Keys = Readonly<Record<string, Shape>>;

/** One value for all levels, or one for each. */
export const perLevel = (
  value: number | readonly number[],
  levels: readonly unknown[],
): readonly number[] => (typeof value === 'number' ? levels.map(() => value) : value);

class List {
  readonly keys: Record<string, Shape> = {};

  vector(path: string, length: number): void {
    this.keys[`${path}.weight`] = [length];
    this.keys[`${path}.bias`] = [length];
  }

  layer(path: string, shape: Shape, { bias = true } = {}): void {
    this.keys[`${path}.weight`] = shape;
    if (bias) this.keys[`${path}.bias`] = [shape[0] ?? 0];
  }

  conv(path: string, from: number, to: number, side = 3): void {
    this.layer(path, [to, from, side, side]);
  }

  resnet(path: string, from: number, to: number, temb?: number): void {
    this.vector(`${path}.norm1`, from);
    this.conv(`${path}.conv1`, from, to);
    if (temb !== undefined) this.layer(`${path}.time_emb_proj`, [to, temb]);
    this.vector(`${path}.norm2`, to);
    this.conv(`${path}.conv2`, to, to);
    if (from !== to) this.conv(`${path}.conv_shortcut`, from, to, 1);
  }

  /** Heads of `headDim` channels, as many as fit; one head where it is null. */
  attention(path: string, c: number, headDim: number | null): void {
    const inner = headDim === null ? c : Math.floor(c / headDim) * headDim;
    this.vector(`${path}.group_norm`, c);
    for (const name of ['to_q', 'to_k', 'to_v']) this.layer(`${path}.${name}`, [inner, c]);
    this.layer(`${path}.to_out.0`, [c, inner]);
  }

  /** Names and 1x1 convolutions of the first Stable Diffusion files. */
  oldAttention(path: string, c: number): void {
    this.vector(`${path}.group_norm`, c);
    for (const name of ['query', 'key', 'value', 'proj_attn'])
      this.conv(`${path}.${name}`, c, c, 1);
  }

  transformer(path: string, c: number, context: number, depth: number, isLinear: boolean): void {
    this.vector(`${path}.norm`, c);
    for (const name of ['proj_in', 'proj_out']) {
      this.layer(`${path}.${name}`, isLinear ? [c, c] : [c, c, 1, 1]);
    }
    for (let i = 0; i < depth; i++) {
      const block = `${path}.transformer_blocks.${i}`;
      for (const name of ['norm1', 'norm2', 'norm3']) this.vector(`${block}.${name}`, c);
      for (const [name, source] of [
        ['attn1', c],
        ['attn2', context],
      ] as const) {
        this.layer(`${block}.${name}.to_q`, [c, c], { bias: false });
        this.layer(`${block}.${name}.to_k`, [c, source], { bias: false });
        this.layer(`${block}.${name}.to_v`, [c, source], { bias: false });
        this.layer(`${block}.${name}.to_out.0`, [c, c]);
      }
      this.layer(`${block}.ff.net.0.proj`, [8 * c, c]);
      this.layer(`${block}.ff.net.2`, [c, 4 * c]);
    }
  }

  time(path: string, width: number, temb: number): void {
    this.layer(`${path}time_embedding.linear_1`, [temb, width]);
    this.layer(`${path}time_embedding.linear_2`, [temb, temb]);
  }
}

export function unetKeys(config: UNetJson): Keys {
  const list = new List();
  const { block_out_channels: channels, cross_attention_dim: context } = config;
  const [first = 0] = channels;
  const last = channels.length - 1;
  const layers = perLevel(config.layers_per_block, channels);
  const depth = perLevel(config.transformer_layers_per_block ?? 1, channels);
  const temb = 4 * first;
  const former = (path: string, level: number): void =>
    list.transformer(
      path,
      channels[level] ?? 0,
      context,
      depth[level] ?? 1,
      config.use_linear_projection ?? false,
    );

  list.conv('conv_in', config.in_channels, first);
  list.time('', first, temb);
  let c = first;
  const skips = [c];
  for (const [i, to] of channels.entries()) {
    for (let j = 0; j < (layers[i] ?? 0); j++) {
      list.resnet(`down_blocks.${i}.resnets.${j}`, c, to, temb);
      if (config.down_block_types[i] === 'CrossAttnDownBlock2D') {
        former(`down_blocks.${i}.attentions.${j}`, i);
      }
      skips.push((c = to));
    }
    if (i === last) break;
    list.conv(`down_blocks.${i}.downsamplers.0.conv`, c, c);
    skips.push(c);
  }
  list.resnet('mid_block.resnets.0', c, c, temb);
  former('mid_block.attentions.0', last);
  list.resnet('mid_block.resnets.1', c, c, temb);
  for (let i = 0; i <= last; i++) {
    const level = last - i;
    const to = channels[level] ?? 0;
    for (let j = 0; j <= (layers[level] ?? 0); j++) {
      list.resnet(`up_blocks.${i}.resnets.${j}`, c + (skips.pop() ?? 0), to, temb);
      if (config.up_block_types[i] === 'CrossAttnUpBlock2D') {
        former(`up_blocks.${i}.attentions.${j}`, level);
      }
      c = to;
    }
    if (level > 0) list.conv(`up_blocks.${i}.upsamplers.0.conv`, c, c);
  }
  list.vector('conv_norm_out', c);
  list.conv('conv_out', c, config.out_channels);
  return list.keys;
}

export function vaeKeys(config: VaeJson, { isOld = false } = {}): Keys {
  const list = new List();
  const { block_out_channels: channels, latent_channels: latent } = config;
  const last = channels.length - 1;
  const mid = (path: string, c: number): void => {
    list.resnet(`${path}.resnets.0`, c, c);
    if (config.mid_block_add_attention ?? true) {
      if (isOld) list.oldAttention(`${path}.attentions.0`, c);
      else list.attention(`${path}.attentions.0`, c, null);
    }
    list.resnet(`${path}.resnets.1`, c, c);
  };
  for (const [half, levels, count, from, to, sampler] of [
    ['encoder', channels, config.layers_per_block, 3, 2 * latent, 'down'],
    ['decoder', channels.toReversed(), config.layers_per_block + 1, latent, 3, 'up'],
  ] as const) {
    let [c = 0] = levels;
    list.conv(`${half}.conv_in`, from, c);
    for (const [i, next] of levels.entries()) {
      const block = `${half}.${sampler}_blocks.${i}`;
      for (let j = 0; j < count; j++) {
        list.resnet(`${block}.resnets.${j}`, c, next);
        c = next;
      }
      if (i < last) list.conv(`${block}.${sampler}samplers.0.conv`, c, c);
    }
    mid(`${half}.mid_block`, channels[last] ?? 0);
    list.vector(`${half}.conv_norm_out`, c);
    list.conv(`${half}.conv_out`, c, to);
  }
  list.conv('quant_conv', 2 * latent, 2 * latent, 1);
  list.conv('post_quant_conv', latent, latent, 1);
  return list.keys;
}

export function noisePredictorKeys(config: NoisePredictorJson): Keys {
  const list = new List();
  const { block_out_channels: channels, temb_channels: temb, attention_head_dim: headDim } = config;
  const layers = perLevel(config.layers_per_block, channels);
  let [c = 0] = channels;
  list.conv('encoder.conv_in', 3, c);
  list.time('encoder.', Math.max(128, c), temb);
  for (const [i, to] of channels.entries()) {
    const block = `encoder.down_blocks.${i}`;
    for (let j = 0; j < (layers[i] ?? 0); j++) {
      list.resnet(`${block}.resnets.${j}`, c, to, temb);
      if (config.down_block_types[i] === 'AttnDownBlock2D')
        list.attention(`${block}.attentions.${j}`, to, headDim);
      c = to;
    }
    if (i < channels.length - 1) list.conv(`${block}.downsamplers.0.conv`, c, c);
  }
  list.resnet('encoder.mid_block.resnets.0', c, c, temb);
  if (config.mid_block_add_attention ?? true)
    list.attention('encoder.mid_block.attentions.0', c, headDim);
  list.resnet('encoder.mid_block.resnets.1', c, c, temb);
  list.vector('encoder.conv_norm_out', c);
  list.conv('encoder.conv_out', c, 2 * config.latent_channels);
  return list.keys;
}

export function clipKeys(config: ClipJson): Keys {
  const list = new List();
  const { hidden_size: width, intermediate_size: inner } = config;
  const embeddings = 'text_model.embeddings';
  list.keys[`${embeddings}.token_embedding.weight`] = [config.vocab_size, width];
  list.keys[`${embeddings}.position_embedding.weight`] = [config.max_position_embeddings, width];
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `text_model.encoder.layers.${i}`;
    for (const name of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) {
      list.layer(`${layer}.self_attn.${name}`, [width, width]);
    }
    list.vector(`${layer}.layer_norm1`, width);
    list.layer(`${layer}.mlp.fc1`, [inner, width]);
    list.layer(`${layer}.mlp.fc2`, [width, inner]);
    list.vector(`${layer}.layer_norm2`, width);
  }
  list.vector('text_model.final_layer_norm', width);
  return list.keys;
}
