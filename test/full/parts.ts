/**
 * The full-size networks, each fed as the official code fed it: inputs from the goldens, one graph,
 * results to compare. LR tile 128, latents 64x64.
 */
import type { GraphBuilder } from '../../src/graph/builder.ts';
import type { Tensor } from '../../src/graph/graph.ts';
import type { Weights } from '../../src/graph/weights.ts';
import type { Model } from '../../src/invsr/model.ts';
import { noisePredictor } from '../../src/invsr/noise-predictor.ts';
import { SCALE } from '../../src/invsr/tile-graph.ts';
import { unet } from '../../src/invsr/unet.ts';
import { vaeDecode, vaeEncode } from '../../src/invsr/vae.ts';
import type { Precision } from '../harness/networks.ts';

export const TILE = 128;

export interface Part {
  readonly golden: string;
  readonly component: 'unet' | 'vae' | 'noise_predictor';
  /** Graph inputs: golden tensors by name; `lr` is the picture. */
  readonly inputs: readonly string[];
  readonly build: (scope: Scope) => Tensor;
  /** Channels of the result that mean something. */
  readonly channels: number;
  /** Golden names of the result: of its halves where it holds moments. */
  readonly results: readonly string[];
  /** The result's entries in tolerances_full.json. */
  readonly references: readonly string[];
  /** Whether the goldens have samples of every block for this run. */
  readonly hasBlocks: boolean;
}

export interface Scope {
  readonly g: GraphBuilder;
  readonly input: (name: string) => Tensor;
  readonly w: Weights;
  readonly configs: Model['configs'];
  readonly precision: Precision;
}

const denoise =
  (latent: string, timestep: number) =>
  ({ g, input, w, configs, precision }: Scope): Tensor => {
    const prompt = input('positive.embeds');
    const context = g.affine('context', { a: prompt }, { alpha: 1, dtype: precision });
    return unet(g, { latent: input(latent), context, timestep }, w, configs.unet);
  };

export const PARTS: Readonly<Record<string, Part>> = {
  noise_predictor: {
    golden: 'noise_predictor',
    component: 'noise_predictor',
    inputs: ['lr'],
    build: ({ g, input, w, configs, precision }) => {
      const constants = { alpha: 2, gamma: -1, dtype: precision };
      const lr = g.affine('lr.centre', { a: input('lr') }, constants);
      return noisePredictor(g, { lr, timestep: 199 }, w, configs.noisePredictor);
    },
    channels: 8,
    results: ['mean', 'logvar'],
    references: ['np.mean', 'np.logvar'],
    hasBlocks: true,
  },
  vae_encode: {
    golden: 'vae_encode',
    component: 'vae',
    inputs: ['lr'],
    build: ({ g, input, w, configs, precision }) => {
      const side = SCALE * TILE;
      const size = { height: side, width: side, dtype: precision };
      const type = { dtype: precision, shape: [1, side, side, 4] };
      const up = g.emit('bicubic', 'image_up', { x: input('lr') }, size, type);
      const image = g.affine('image_up.centre', { a: up }, { alpha: 2, gamma: -1 });
      return vaeEncode(g, image, w, configs.vae);
    },
    channels: 8,
    results: ['mean', 'logvar'],
    references: ['vae.mean', 'vae.logvar'],
    hasBlocks: true,
  },
  unet: {
    golden: 'unet',
    component: 'unet',
    inputs: ['scaled_input', 'positive.embeds'],
    build: denoise('scaled_input', 199),
    channels: 4,
    results: ['eps'],
    references: ['unet.eps (golden inputs)'],
    hasBlocks: true,
  },
  // The second of two steps: another timestep.
  unet_t99: {
    golden: 'unet',
    component: 'unet',
    inputs: ['s2.scaled_input1', 'positive.embeds'],
    build: denoise('s2.scaled_input1', 99),
    channels: 4,
    results: ['s2.eps1'],
    references: ['unet.eps (golden inputs)'],
    hasBlocks: false,
  },
  vae_decode: {
    golden: 'vae_decode',
    component: 'vae',
    inputs: ['decode_in'],
    build: ({ g, input, w, configs }) => vaeDecode(g, input('decode_in'), w, configs.vae),
    channels: 3,
    results: ['decoded'],
    references: ['vae.decoded (golden input)'],
    hasBlocks: true,
  },
};
