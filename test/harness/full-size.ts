/**
 * Graphs of the full-size networks (SD-Turbo, the official noise predictor) from their configs
 * alone, for tests of planning: shapes without weights.
 */
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { readNoisePredictorConfig, readUNetConfig, readVaeConfig } from '../../src/invsr/config.ts';
import { type Keys, noisePredictorKeys, unetKeys, vaeKeys } from '../../src/invsr/model-keys.ts';
import { noisePredictor } from '../../src/invsr/noise-predictor.ts';
import { SIZES } from '../../src/invsr/synthetic-configs.ts';
import { unet } from '../../src/invsr/unet.ts';
import { vaeDecode, vaeEncode } from '../../src/invsr/vae.ts';

const { unet: UNET, vae: VAE, noise_predictor: NOISE_PREDICTOR } = SIZES.full;

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
