/**
 * The networks a second time, as an oracle: plain loops over NCHW arrays in f64, straight from the
 * description of the models and from config.json's own fields. Shares nothing with src/; slow.
 * test/golden/oracle.test.ts holds it against the official numbers.
 */
import type { NoisePredictorJson, UNetJson, VaeJson } from '../../src/invsr/model-keys.ts';
import { perLevel } from '../../src/invsr/model-keys.ts';
import {
  attend,
  concat,
  conv,
  geglu,
  groupNorm,
  image,
  layerNorm,
  linear,
  map,
  type Naive,
  type Scope,
  silu,
  sinusoid,
  sum,
  tokens,
  upsample,
} from './naive-ops.ts';

const BELOW_AND_RIGHT = { stride: 2, pad: [0, 0, 1, 1] } as const;

export function naiveUNet(
  config: UNetJson,
  w: Scope,
  { latent, context, timestep }: { latent: Naive; context: Naive; timestep: number },
): Naive {
  const { block_out_channels: channels, norm_num_groups: groups } = config;
  const eps = config.norm_eps ?? 1e-5;
  const heads = perLevel(config.attention_head_dim, channels);
  const layers = perLevel(config.layers_per_block, channels);
  const depth = perLevel(config.transformer_layers_per_block ?? 1, channels);
  const temb = timeEmbedding(w, timestep, channels[0]!, config);
  const res = (x: Naive, s: Scope): Naive => resnet(x, s, { groups, eps, temb });
  const former = (x: Naive, s: Scope, level: number): Naive =>
    transformer(x, context, s, {
      groups,
      heads: heads[level]!,
      depth: depth[level]!,
      isLinear: config.use_linear_projection ?? false,
    });

  let x = conv(latent, w.at('conv_in'));
  const skips = [x];
  for (const [i, kind] of config.down_block_types.entries()) {
    const block = w.at(`down_blocks.${i}`);
    for (let j = 0; j < layers[i]!; j++) {
      x = res(x, block.at(`resnets.${j}`));
      if (kind === 'CrossAttnDownBlock2D') x = former(x, block.at(`attentions.${j}`), i);
      skips.push(x);
    }
    if (i === channels.length - 1) break;
    x = conv(x, block.at('downsamplers.0.conv'), { stride: 2 });
    skips.push(x);
  }
  const mid = w.at('mid_block');
  x = res(x, mid.at('resnets.0'));
  x = former(x, mid.at('attentions.0'), channels.length - 1);
  x = res(x, mid.at('resnets.1'));
  for (const [i, kind] of config.up_block_types.entries()) {
    const block = w.at(`up_blocks.${i}`);
    const level = channels.length - 1 - i;
    for (let j = 0; j < layers[level]! + 1; j++) {
      x = res(concat(x, skips.pop()!), block.at(`resnets.${j}`));
      if (kind === 'CrossAttnUpBlock2D') x = former(x, block.at(`attentions.${j}`), level);
    }
    if (level === 0) break;
    const [, , height, width] = skips.at(-1)!.shape;
    x = conv(upsample(x, height!, width!), block.at('upsamplers.0.conv'));
  }
  x = silu(groupNorm(x, w.at('conv_norm_out'), { groups, eps }));
  return conv(x, w.at('conv_out'));
}

/** Moments: mean and log-variance along the channels. */
export function naiveNoisePredictor(
  config: NoisePredictorJson,
  weights: Scope,
  { lr, timestep }: { lr: Naive; timestep: number },
): Naive {
  const w = weights.at('encoder');
  const { block_out_channels: channels, norm_num_groups: groups } = config;
  const layers = perLevel(config.layers_per_block, channels);
  const norm = { groups, eps: 1e-6 };
  const temb = timeEmbedding(w, timestep, Math.max(128, channels[0]!), config);
  const attention = (x: Naive, s: Scope): Naive => {
    const c = x.shape[1]!;
    return selfAttention(x, s, {
      ...norm,
      heads: Math.floor(c / (config.attention_head_dim ?? c)),
    });
  };
  let x = conv(lr, w.at('conv_in'));
  for (const [i, kind] of config.down_block_types.entries()) {
    const block = w.at(`down_blocks.${i}`);
    for (let j = 0; j < layers[i]!; j++) {
      x = resnet(x, block.at(`resnets.${j}`), { ...norm, temb });
      if (kind === 'AttnDownBlock2D') x = attention(x, block.at(`attentions.${j}`));
    }
    if (i < channels.length - 1) x = conv(x, block.at('downsamplers.0.conv'), BELOW_AND_RIGHT);
  }
  x = resnet(x, w.at('mid_block.resnets.0'), { ...norm, temb });
  if (config.mid_block_add_attention ?? true) x = attention(x, w.at('mid_block.attentions.0'));
  x = resnet(x, w.at('mid_block.resnets.1'), { ...norm, temb });
  return conv(silu(groupNorm(x, w.at('conv_norm_out'), norm)), w.at('conv_out'));
}

export function naiveEncode(config: VaeJson, w: Scope, picture: Naive): Naive {
  const norm = { groups: config.norm_num_groups, eps: 1e-6 };
  const encoder = w.at('encoder');
  let x = conv(picture, encoder.at('conv_in'));
  for (let i = 0; i < config.block_out_channels.length; i++) {
    const block = encoder.at(`down_blocks.${i}`);
    for (let j = 0; j < config.layers_per_block; j++) {
      x = resnet(x, block.at(`resnets.${j}`), norm);
    }
    if (i < config.block_out_channels.length - 1) {
      x = conv(x, block.at('downsamplers.0.conv'), BELOW_AND_RIGHT);
    }
  }
  x = vaeMid(config, encoder.at('mid_block'), x);
  x = conv(silu(groupNorm(x, encoder.at('conv_norm_out'), norm)), encoder.at('conv_out'));
  return conv(x, w.at('quant_conv'));
}

export function naiveDecode(config: VaeJson, w: Scope, latent: Naive): Naive {
  const norm = { groups: config.norm_num_groups, eps: 1e-6 };
  const decoder = w.at('decoder');
  let x = conv(conv(latent, w.at('post_quant_conv')), decoder.at('conv_in'));
  x = vaeMid(config, decoder.at('mid_block'), x);
  for (let i = 0; i < config.block_out_channels.length; i++) {
    const block = decoder.at(`up_blocks.${i}`);
    for (let j = 0; j < config.layers_per_block + 1; j++) {
      x = resnet(x, block.at(`resnets.${j}`), norm);
    }
    if (i === config.block_out_channels.length - 1) break;
    const [, , h, width] = x.shape;
    x = conv(upsample(x, 2 * h!, 2 * width!), block.at('upsamplers.0.conv'));
  }
  return conv(silu(groupNorm(x, decoder.at('conv_norm_out'), norm)), decoder.at('conv_out'));
}

function vaeMid(config: VaeJson, w: Scope, input: Naive): Naive {
  const norm = { groups: config.norm_num_groups, eps: 1e-6 };
  let x = resnet(input, w.at('resnets.0'), norm);
  if (config.mid_block_add_attention ?? true) {
    x = selfAttention(x, w.at('attentions.0'), { ...norm, heads: 1 });
  }
  return resnet(x, w.at('resnets.1'), norm);
}

interface Norm {
  readonly groups: number;
  readonly eps: number;
}

export function resnet(x: Naive, w: Scope, { temb, ...norm }: Norm & { temb?: Naive }): Naive {
  let h = conv(silu(groupNorm(x, w.at('norm1'), norm)), w.at('conv1'));
  if (temb) {
    const shift = linear(silu(temb), w.at('time_emb_proj')).data;
    const [, c = 1, height = 1, width = 1] = h.shape;
    h = map(h, (v, i) => v + shift[Math.floor(i / (height * width)) % c]!);
  }
  h = conv(silu(groupNorm(h, w.at('norm2'), norm)), w.at('conv2'));
  return sum(w.has('conv_shortcut.weight') ? conv(x, w.at('conv_shortcut')) : x, h);
}

function selfAttention(x: Naive, w: Scope, { heads, ...norm }: Norm & { heads: number }): Naive {
  const names = w.has('to_q.weight')
    ? ['to_q', 'to_k', 'to_v', 'to_out.0']
    : ['query', 'key', 'value', 'proj_attn'];
  const [q, k, v, out] = names.map((name) => w.at(name));
  const s = tokens(groupNorm(x, w.at('group_norm'), norm));
  const mixed = attend([linear(s, q!), linear(s, k!), linear(s, v!)], heads);
  return sum(x, image(linear(mixed, out!), x.shape));
}

function transformer(
  x: Naive,
  context: Naive,
  w: Scope,
  {
    groups,
    heads,
    depth,
    isLinear,
  }: { groups: number; heads: number; depth: number; isLinear: boolean },
): Naive {
  const normed = groupNorm(x, w.at('norm'), { groups, eps: 1e-6 });
  let s = isLinear
    ? linear(tokens(normed), w.at('proj_in'))
    : tokens(conv(normed, w.at('proj_in')));
  const attention = (query: Naive, source: Naive, a: Scope): Naive => {
    const [q, k, v] = [a.at('to_q'), a.at('to_k'), a.at('to_v')];
    const mixed = attend([linear(query, q), linear(source, k), linear(source, v)], heads);
    return linear(mixed, a.at('to_out.0'));
  };
  for (let i = 0; i < depth; i++) {
    const block = w.at(`transformer_blocks.${i}`);
    const norm = (name: string): Naive => layerNorm(s, block.at(name), 1e-5);
    const normed1 = norm('norm1');
    s = sum(s, attention(normed1, normed1, block.at('attn1')));
    s = sum(s, attention(norm('norm2'), context, block.at('attn2')));
    const gated = geglu(linear(norm('norm3'), block.at('ff.net.0.proj')));
    s = sum(s, linear(gated, block.at('ff.net.2')));
  }
  return sum(
    x,
    isLinear
      ? image(linear(s, w.at('proj_out')), x.shape)
      : conv(image(s, x.shape), w.at('proj_out')),
  );
}

function timeEmbedding(
  w: Scope,
  timestep: number,
  width: number,
  { flip_sin_to_cos = true, freq_shift = 0 }: { flip_sin_to_cos?: boolean; freq_shift?: number },
): Naive {
  const mlp = w.at('time_embedding');
  const wave = sinusoid(timestep, width, { cosFirst: flip_sin_to_cos, shift: freq_shift });
  return linear(silu(linear(wave, mlp.at('linear_1'))), mlp.at('linear_2'));
}
