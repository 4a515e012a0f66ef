/**
 * Blocks that the UNet, the VAE and the noise predictor share. Channels-last throughout; weight
 * names are diffusers' own.
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import type { Activation } from '../kernels/epilogue.ts';
import { type GraphBuilder, lastAxis, type Padding, roundUp4 } from '../graph/builder.ts';
import { WeightError, type Weights } from '../graph/weights.ts';
import type { Tensor } from '../graph/graph.ts';

export interface Norm {
  readonly groups: number;
  readonly eps: number;
}

/** The VAE's and the noise predictor's downsampling pads one row below and one column to the right. */
export const BOTTOM_RIGHT: Padding = { top: 0, left: 0, bottom: 1, right: 1 };

/**
 * [N, H, W, Cin] → [N, H, W, Cout]. `temb` [1, E] is the time embedding; without it there is no
 * `time_emb_proj`. The shortcut projection exists only where Cin ≠ Cout.
 */
export function resnet(
  g: GraphBuilder,
  x: Tensor,
  w: Weights,
  { temb, ...norm }: Norm & { readonly temb?: Tensor | undefined },
): Tensor {
  const act = { ...norm, activation: 'silu' } as const;
  const shift =
    temb &&
    g.linear(g.activation(`${w.path}.nonlinearity`, temb, 'silu'), w.at('time_emb_proj'), {
      dtype: 'f32',
    }); // [1, Cout]

  const h = g.conv2d(g.groupNorm(x, w.at('norm1'), act), w.at('conv1'), { shift });
  const residual = w.has('conv_shortcut.weight') ? g.conv2d(x, w.at('conv_shortcut')) : x;
  return g.conv2d(g.groupNorm(h, w.at('norm2'), act), w.at('conv2'), { residual });
}

/** WeightError unless x, the output of `w`, has the channels that the config gives its level. */
export function expectChannels(x: Tensor, w: Weights, channels: number | undefined): void {
  if (lastAxis(x) === roundUp4(channels ?? 0)) return;
  throw new WeightError(
    `${w.path} gives ${lastAxis(x)} channels, config.json says ${channels ?? 'that there is no such level'}: config.json and weights are of different models`,
  );
}

/**
 * Self-attention over the pixels, with the un-normalised input as residual: the VAE's mid block
 * and the noise predictor. Old checkpoints spell the projections query, key, value, proj_attn.
 */
export function pixelAttention(
  g: GraphBuilder,
  x: Tensor,
  w: Weights,
  { heads, ...norm }: Norm & { readonly heads: number },
): Tensor {
  const [n = 1, h = 1, width = 1, c = 1] = x.shape;
  const at = (name: string, old: string): Weights => w.at(w.has(`${name}.weight`) ? name : old);

  const residual = g.reshape(x, [n, h * width, c]);
  const s = g.reshape(g.groupNorm(x, w.at('group_norm'), norm), [n, h * width, c]); // [N, H·W, C]
  const q = g.linear(s, at('to_q', 'query'));
  const k = g.linear(s, at('to_k', 'key'));
  const v = g.linear(s, at('to_v', 'value'));
  const mixed = g.attention(w.path, { q, k, v }, { heads });
  return g.reshape(g.linear(mixed, at('to_out.0', 'proj_attn'), { residual }), x.shape);
}

/** Sinusoid of one timestep through its two-layer MLP: [1, E], f32. */
export function timeEmbedding(
  g: GraphBuilder,
  w: Weights,
  {
    timestep,
    dim,
    flipSinToCos,
    freqShift,
  }: {
    readonly timestep: number;
    readonly dim: number;
    readonly flipSinToCos: boolean;
    readonly freqShift: number;
  },
): Tensor {
  const sinusoid = g.timestepEmbedding(`${w.path}.time_proj`, {
    timestep,
    dim,
    flipSinToCos,
    freqShift,
  });
  const mlp = w.at('time_embedding');
  const activation: Activation = 'silu';
  const hidden = g.linear(sinusoid, mlp.at('linear_1'), { activation, dtype: 'f32' });
  return g.linear(hidden, mlp.at('linear_2'), { dtype: 'f32' });
}

/** Nearest-neighbour upsampling to [height, width], then a 3x3 convolution. */
export function upsample(
  g: GraphBuilder,
  x: Tensor,
  w: Weights,
  { height, width }: ImageSize,
): Tensor {
  return g.conv2d(g.upsampleNearest(w.path, x, height, width), w.at('conv'));
}

/** GroupNorm, SiLU, 3x3 convolution: the end of every network. f32 out. */
export function normActConvOut(g: GraphBuilder, x: Tensor, w: Weights, norm: Norm): Tensor {
  const h = g.groupNorm(x, w.at('conv_norm_out'), { ...norm, activation: 'silu' });
  return g.conv2d(h, w.at('conv_out'), { dtype: 'f32' });
}

/** Height and width of an image tensor. */
export const sizeOfImage = ({ shape }: Pick<Tensor, 'shape'>): ImageSize => ({
  height: shape[1] ?? 0,
  width: shape[2] ?? 0,
});
