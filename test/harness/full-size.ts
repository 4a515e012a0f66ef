/**
 * Graphs of the full-size networks (SD-Turbo, the official noise predictor) from their configs
 * alone, for tests of planning: shapes without weights.
 */
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { readNoisePredictorConfig, readUNetConfig, readVaeConfig } from '../../src/invsr/config.ts';
import { noisePredictor } from '../../src/invsr/noise-predictor.ts';
import { unet } from '../../src/invsr/unet.ts';
import { vaeDecode, vaeEncode } from '../../src/invsr/vae.ts';
import { type Keys, noisePredictorKeys, unetKeys, vaeKeys } from './model-keys.ts';

const UNET = {
  _class_name: 'UNet2DConditionModel',
  in_channels: 4,
  out_channels: 4,
  block_out_channels: [320, 640, 1280, 1280],
  down_block_types: [
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'DownBlock2D',
  ],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
  layers_per_block: 2,
  norm_num_groups: 32,
  cross_attention_dim: 1024,
  attention_head_dim: [5, 10, 20, 20],
  use_linear_projection: true,
};

const VAE = {
  _class_name: 'AutoencoderKL',
  block_out_channels: [128, 256, 512, 512],
  down_block_types: Array.from({ length: 4 }, () => 'DownEncoderBlock2D'),
  up_block_types: Array.from({ length: 4 }, () => 'UpDecoderBlock2D'),
  layers_per_block: 2,
  latent_channels: 4,
  norm_num_groups: 32,
  scaling_factor: 0.18215,
};

const NOISE_PREDICTOR = {
  _class_name: 'NoisePredictor',
  double_z: true,
  block_out_channels: [256, 512],
  down_block_types: ['AttnDownBlock2D', 'AttnDownBlock2D'],
  layers_per_block: 3,
  latent_channels: 4,
  norm_num_groups: 32,
  temb_channels: 512,
  attention_head_dim: 64,
};

const PROMPT_TOKENS = 77;

export const NETWORKS = ['noisePredictor', 'vaeEncode', 'unet', 'vaeDecode'] as const;
export type Network = (typeof NETWORKS)[number];

/** One network as a graph from external `x` to external `result`, for LR tiles of `tile` pixels. */
export function fullSizeGraph(
  network: Network,
  {
    tile,
    precision,
    batch = 1,
  }: { readonly tile: number; readonly precision: 'f16' | 'f32'; readonly batch?: number },
): Graph {
  const g = new GraphBuilder({ precision });
  const input = (side: number, channels = 4) =>
    g.external('x', { dtype: 'f32', shape: [batch, side, side, channels] });
  const weights = (component: string, keys: Keys) =>
    g.checkpoint(
      component,
      new Map(Object.entries(keys).map(([name, shape]) => [name, { shape }])),
    );
  const json = (value: object): string => JSON.stringify(value);
  switch (network) {
    case 'noisePredictor': {
      const config = readNoisePredictorConfig(json(NOISE_PREDICTOR), 'config.json');
      const w = weights('noise_predictor', noisePredictorKeys(NOISE_PREDICTOR));
      g.output('result', noisePredictor(g, { lr: input(tile), timestep: 199 }, w, config));
      break;
    }
    case 'vaeEncode':
    case 'vaeDecode': {
      const config = readVaeConfig(json(VAE), 'config.json');
      const w = weights('vae', vaeKeys(VAE));
      const result =
        network === 'vaeEncode'
          ? vaeEncode(g, input(4 * tile), w, config)
          : vaeDecode(g, input(tile / 2), w, config);
      g.output('result', result);
      break;
    }
    case 'unet': {
      const config = readUNetConfig(json(UNET), 'config.json');
      const context = g.external('context', {
        dtype: precision,
        shape: [1, PROMPT_TOKENS, UNET.cross_attention_dim],
      });
      const w = weights('unet', unetKeys(UNET));
      g.output('result', unet(g, { latent: input(tile / 2), context, timestep: 199 }, w, config));
    }
  }
  return g.build();
}
