/**
 * The four networks of the embedded model, each as a graph of its own with the inputs of one
 * 128 → 512 tile at t = 199: what bench/peers/graphs holds as ONNX. Inputs are given NCHW, as those
 * graphs take them, and turned into ours.
 */
import type { EngineContext } from '../src/engine/context.ts';
import { GraphBuilder, roundUp4 } from '../src/graph/builder.ts';
import type { Graph, Tensor } from '../src/graph/graph.ts';
import { type NetworkName, openWorkload, testImage, type Workload } from '../src/invsr/measure.ts';
import { latentSide } from '../src/invsr/tile-graph.ts';
import type { Model } from '../src/invsr/model.ts';
import { noisePredictor } from '../src/invsr/noise-predictor.ts';
import { toNchw, toNhwc } from '../src/invsr/parity.ts';
import { unet } from '../src/invsr/unet.ts';
import { vaeDecode, vaeEncode } from '../src/invsr/vae.ts';
import { normal } from './random.ts';

export interface NchwTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface NetworkCase {
  readonly name: NetworkName;
  /** By the names of the ONNX graphs. */
  readonly inputs: Readonly<Record<string, NchwTensor>>;
  /** Channels of the result that mean something. */
  readonly channels: number;
  graph(precision: 'f16' | 'f32'): Graph;
}

export const TILE = 128;
const TIMESTEP = 199;

/** `prompt` is the model's prompt_embeds [1, L, C]. */
export function networkCases(model: Model, prompt: NchwTensor): NetworkCase[] {
  const { configs, shapes } = model;
  const latent = configs.vae.latentChannels;
  const side = latentSide(TILE);
  const latentShape = [1, latent, side, side];
  const latentNoise = normal(latent * side * side, 1);
  const image = (size: number): NchwTensor => {
    const { shape, data } = toNchw(testImage(size), [1, size, size, 4], { count: 3 });
    return { shape, data: data.map((v) => 2 * v - 1) };
  };
  const make = (
    inputs: Readonly<Record<string, NchwTensor>>,
    channels: number,
    body: (g: GraphBuilder, x: Tensor) => Tensor,
  ): Omit<NetworkCase, 'name'> => ({
    inputs,
    channels,
    graph(precision) {
      const g = new GraphBuilder({ precision });
      const [n = 1, c = 1, h = 1, w = 1] = inputs['x']?.shape ?? [];
      const x = g.external('x', { dtype: 'f32', shape: [n, h, w, roundUp4(c)] });
      g.name('result', body(g, x), channels);
      return g.build();
    },
  });
  const x = { shape: latentShape, data: latentNoise };
  return [
    {
      name: 'noise_predictor',
      ...make({ x: image(TILE) }, 2 * latent, (g, lr) =>
        noisePredictor(
          g,
          { lr, timestep: TIMESTEP },
          g.checkpoint('noise_predictor', shapes.noisePredictor),
          configs.noisePredictor,
        ),
      ),
    },
    {
      name: 'vae.encoder',
      ...make({ x: image(4 * TILE) }, 2 * latent, (g, pixels) =>
        vaeEncode(g, pixels, g.checkpoint('vae', shapes.vae), configs.vae),
      ),
    },
    {
      name: 'unet',
      ...make({ x, context: prompt }, latent, (g, scaled) => {
        const context = g
          .checkpoint('prompt', shapes.prompt)
          .get('prompt_embeds', 'rows', g.precision);
        const inputs = { latent: scaled, context, timestep: TIMESTEP };
        return unet(g, inputs, g.checkpoint('unet', shapes.unet), configs.unet);
      }),
    },
    {
      name: 'vae.decoder',
      ...make({ x }, 3, (g, z) => vaeDecode(g, z, g.checkpoint('vae', shapes.vae), configs.vae)),
    },
  ];
}

/** The network on our engine; its result is named `result`. */
export function openNetwork(
  context: EngineContext,
  model: Model,
  network: NetworkCase,
  precision: 'f16' | 'f32',
): Promise<Workload> {
  const x = network.inputs['x'];
  if (!x) throw new Error(`${network.name} has no input x`);
  const inputs = { x: toNhwc(x.data, x.shape) };
  return openWorkload(context, [network.graph(precision)], { model, inputs, output: 'result' });
}

/** rms(actual − expected) / std(expected). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const n = expected.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += expected[i] ?? 0;
  let variance = 0;
  let error = 0;
  for (let i = 0; i < n; i++) {
    variance += ((expected[i] ?? 0) - sum / n) ** 2;
    error += ((actual[i] ?? 0) - (expected[i] ?? 0)) ** 2;
  }
  const value = Math.sqrt(error / variance);
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}
