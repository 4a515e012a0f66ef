/**
 * Other channel counts, groups, heads, layers, latent channels, prompt lengths and image sizes than
 * the official models', from config.json alone, against the f64 oracle.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { GraphBuilder, roundUp4 } from '../../src/graph/builder.ts';
import type { Weights } from '../../src/graph/weights.ts';
import type { Graph, Tensor } from '../../src/graph/graph.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { noisePredictor } from '../../src/invsr/noise-predictor.ts';
import { unet } from '../../src/invsr/unet.ts';
import { vaeDecode, vaeEncode } from '../../src/invsr/vae.ts';
import type { GoldenTensor } from '../harness/goldens.ts';
import {
  naiveDecode,
  naiveEncode,
  naiveNoisePredictor,
  naiveUNet,
} from '../harness/naive-models.ts';
import { type Naive, naive } from '../harness/naive-ops.ts';
import { naivePath } from '../harness/naive-path.ts';
import {
  GATE,
  openTestContext,
  pathGraphs,
  relativeError,
  runGraph,
  RUNS,
} from '../harness/networks.ts';
import { record } from '../harness/numerics.ts';
import { normal } from '../harness/random.ts';
import { modelFolder, naiveModel } from '../harness/synthetic-models.ts';
import { CASES } from './generalise.models.ts';

type Case = keyof typeof CASES;
const NAMES = Object.keys(CASES) as Case[];

/** The oracle is slow and does not depend on the adapter: every answer is computed once. */
function once<K, V>(compute: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    if (!known.has(key)) known.set(key, compute(key));
    return known.get(key)!;
  };
}

const oracle = once((name: Case) => naiveModel(CASES[name]));

const gaussian = (shape: readonly number[], seed: number): Naive =>
  naive(
    shape,
    normal(
      shape.reduce((a, b) => a * b),
      seed,
    ),
  );
const uniformish = (shape: readonly number[], seed: number): Naive =>
  naive(
    shape,
    gaussian(shape, seed).data.map((v) => Math.fround(Math.min(1, Math.max(0, 0.5 + 0.25 * v)))),
  );
const f32 = ({ shape, data }: Naive): GoldenTensor<Float32Array> => ({
  shape,
  data: Float32Array.from(data),
});

const pathInputs = once((name: Case) => {
  const { tile, batch, vae } = CASES[name];
  const latents = [batch, vae.latent_channels, tile / 2, tile / 2];
  return {
    tiles: uniformish([batch, 3, tile, tile], 1),
    draws: [gaussian(latents, 2), gaussian(latents, 3)] as const,
  };
});
const path = once((name: Case) => naivePath(oracle(name), pathInputs(name), CASES[name]));

/** Sizes that no tile has: odd, not square, several images, a single pixel. */
const SIZES = {
  'unet 3x9x13': [3, 9, 13],
  'unet 1x1x6': [1, 1, 6],
  'noise_predictor 2x17x10': [2, 17, 10],
  'noise_predictor 1x3x7': [1, 3, 7],
  'encode 2x24x44': [2, 24, 44],
  'encode 1x37x19': [1, 37, 19],
  'decode 2x3x5': [2, 3, 5],
  'decode 1x1x1': [1, 1, 1],
} as const;
type Size = keyof typeof SIZES;

const networkInput = (name: Case, size: Size): Naive => {
  const [n, h, w] = SIZES[size];
  const latents = CASES[name].vae.latent_channels;
  return gaussian([n, /^(unet|decode)/.test(size) ? latents : 3, h, w], 4);
};
const TIMESTEP = 149;
const network = once((key: `${Case} ${Size}`) => {
  const [name, size] = [key.split(' ')[0] as Case, key.slice(key.indexOf(' ') + 1) as Size];
  const { weights, prompt, ...configs } = oracle(name);
  const x = networkInput(name, size);
  if (size.startsWith('encode')) return naiveEncode(configs.vae, weights.vae, x);
  if (size.startsWith('decode')) return naiveDecode(configs.vae, weights.vae, x);
  return size.startsWith('unet')
    ? naiveUNet(configs.unet, weights.unet, { latent: x, context: prompt, timestep: TIMESTEP })
    : naiveNoisePredictor(configs.noise_predictor, weights.noise_predictor, {
        lr: x,
        timestep: TIMESTEP,
      });
});

describe.each(RUNS)('$adapter $precision', ({ adapter, precision }) => {
  describe.each(NAMES)('%s', (name) => {
    // A context holds one model's weights.
    let context: EngineContext;
    let close: () => void;
    let model: Model;
    beforeAll(async () => {
      ({ context, close } = await openTestContext(adapter));
      model = await openModel(modelFolder(name, CASES[name]));
    });
    afterAll(() => close());

    test('a batch of tiles through the whole path', async () => {
      const { tile, batch, timesteps, cfg } = CASES[name];
      const { tiles, draws } = pathInputs(name);
      const options = { precision, batch, tile, timesteps, cfg, noise: 'given' } as const;
      const dump = await runGraph(context, pathGraphs(model, options), model, {
        tiles: f32(tiles),
        draw0: f32(draws[0]),
        draw1: f32(draws[1]),
      });
      // Guidance adds cfg and cfg − 1 times an error each.
      const gate = GATE[precision] * (2 * cfg - 1);
      const errors = [...path(name)].map(([stage, expected]): [string, number] => {
        const actual = dump.get(stage);
        expect(actual?.shape, stage).toEqual(expected.shape);
        return [stage, relativeError(actual!.data, expected.data)];
      });
      record({
        what: `other configs: ${name}`,
        adapter,
        precision,
        error: Math.max(...errors.map(([, e]) => e)),
      });
      expect(errors.filter(([, error]) => !(error < gate))).toEqual([]);
    });

    test.each(Object.keys(SIZES) as Size[])('%s', async (size) => {
      const x = networkInput(name, size);
      const dump = await runGraph(context, graphOf(size, x), model, { x: f32(x) });
      const expected = network(`${name} ${size}`);
      const actual = dump.get('result')!;
      expect(actual.shape).toEqual(expected.shape);
      const error = relativeError(actual.data, expected.data);
      record({ what: `other configs: ${name}, ${size}`, adapter, precision, error });
      expect(error).toBeLessThan(GATE[precision]);
    });

    function graphOf(size: Size, { shape: [n = 1, c = 1, h = 1, w = 1] }: Naive): Graph {
      const { configs, shapes } = model;
      const g = new GraphBuilder({ precision });
      const x = g.external('x', { dtype: 'f32', shape: [n, h, w, roundUp4(c)] });
      const latents = configs.vae.latentChannels;
      const make = (): [result: Tensor, channels: number] => {
        const vae: Weights = g.checkpoint('vae', shapes.vae);
        if (size.startsWith('encode')) return [vaeEncode(g, x, vae, configs.vae), 2 * latents];
        if (size.startsWith('decode')) return [vaeDecode(g, x, vae, configs.vae), 3];
        if (size.startsWith('unet')) {
          const w = g.checkpoint('unet', shapes.unet);
          const context = g
            .checkpoint('prompt', shapes.prompt)
            .get('prompt_embeds', 'rows', precision);
          return [unet(g, { latent: x, context, timestep: TIMESTEP }, w, configs.unet), latents];
        }
        const w = g.checkpoint('noise_predictor', shapes.noisePredictor);
        const inputs = { lr: x, timestep: TIMESTEP };
        return [noisePredictor(g, inputs, w, configs.noisePredictor), 2 * latents];
      };
      g.name('result', ...make());
      return g.build();
    }
  });
});
