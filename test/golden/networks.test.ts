/** Every network and every block of the tiny models against the official code's activations. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Weights } from '../../src/graph/weights.ts';
import type { Graph, Tensor } from '../../src/graph/graph.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { noisePredictor } from '../../src/invsr/noise-predictor.ts';
import { type Dump, toNchw } from '../../src/invsr/parity.ts';
import { unet } from '../../src/invsr/unet.ts';
import { vaeDecode, vaeEncode } from '../../src/invsr/vae.ts';
import { type Golden, type GoldenTensor, openGolden, samplesOf } from '../harness/goldens.ts';
import { comparable, fusedReference, withTaps } from '../harness/module-taps.ts';
import { GATE, openTestContext, relativeError, runGraph, RUNS } from '../harness/networks.ts';
import { record } from '../harness/numerics.ts';
import { anyPrompt, tinyModel } from '../harness/synthetic.ts';

describe.each(RUNS)('$adapter $precision', ({ adapter, precision }) => {
  let context: EngineContext;
  let close: () => void;
  let model: Model;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
    model = await openModel(tinyModel(), anyPrompt);
  });
  afterAll(() => close());

  /** A graph of one network: `make` gets its external inputs, by name, and returns the result. */
  function graphOf(
    component: 'unet' | 'vae' | 'noise_predictor',
    inputs: Readonly<Record<string, GoldenTensor<Float32Array>>>,
    make: (g: GraphBuilder, input: (name: string) => Tensor, w: Weights) => Tensor,
    channels: number,
    result = 'result',
  ): Graph {
    const g = new GraphBuilder({ precision });
    const shapes =
      component === 'noise_predictor' ? model.shapes.noisePredictor : model.shapes[component];
    const input = (name: string): Tensor => {
      const { shape } = inputs[name]!;
      const [n = 1, c = 1, h = 1, w = 1] = shape;
      // Sequences [1, L, C] are given as they are.
      const ours = shape.length === 4 ? [n, h, w, Math.ceil(c / 4) * 4] : shape;
      return g.external(name, { dtype: 'f32', shape: ours });
    };
    g.name(result, make(g, input, g.checkpoint(component, shapes)), channels);
    return g.build();
  }

  /** Blocks first, so that the first wrong one is the one reported. */
  function compareBlocks(dump: Dump, golden: Golden, acts: readonly string[]): void {
    const errors = acts.map((act) => {
      const actual = dump.get(act)!;
      const isSampled = !golden.has(act);
      const expected = golden.f32(isSampled ? `samples.${act}` : act);
      const ours = layoutLike(expected.shape, actual);
      const data = isSampled ? samplesOf(ours, expected.data.length) : ours;
      return [act, relativeError(data, fusedReference(act, expected.data))] as const;
    });
    const wrong = errors.filter(([, error]) => !(error <= GATE[precision]));
    expect(wrong.map(([act, error]) => `${act}: ${error.toExponential(2)}`)).toEqual([]);
    expect(errors.length).toBeGreaterThan(10);
  }

  function check(what: string, dump: Dump, expected: Float32Array): void {
    const error = relativeError(dump.get('result')!.data, expected);
    record({ what, adapter, precision, error });
    expect(error, what).toBeLessThan(GATE[precision]);
  }

  test('noise predictor: blocks at t = 199, moments at every timestep', async () => {
    const golden = await openGolden('networks/noise_predictor');
    const lr = golden.f32('in.lr');
    const acts = comparable(golden);
    for (const timestep of [199, 99, 49, 149, 249]) {
      const graph = graphOf(
        'noise_predictor',
        { lr },
        (g, input, w) => {
          const centred = g.affine('centre', { a: input('lr') }, { alpha: 2, gamma: -1 });
          return noisePredictor(g, { lr: centred, timestep }, w, model.configs.noisePredictor);
        },
        8,
      );
      const tapped = timestep === 199 ? withTaps(graph, 'noise_predictor', golden, acts) : graph;
      const dump = await runGraph(context, tapped, model, { lr });
      if (timestep === 199) compareBlocks(dump, golden, acts);
      check(`noise predictor, t = ${timestep}`, dump, golden.f32(`t${timestep}.moments`).data);
    }
  });

  test.each(['b2_24x40', 'b1_18x22', 'b1_15x21'])('noise predictor: %s', async (name) => {
    const golden = await openGolden('networks/noise_predictor_shapes');
    const lr = golden.f32(`${name}.lr`);
    const graph = graphOf(
      'noise_predictor',
      { lr },
      (g, input, w) => {
        const centred = g.affine('centre', { a: input('lr') }, { alpha: 2, gamma: -1 });
        return noisePredictor(g, { lr: centred, timestep: 199 }, w, model.configs.noisePredictor);
      },
      4,
    );
    const dump = await runGraph(context, graph, model, { lr });
    check(`noise predictor, ${name}`, dump, golden.f32(`${name}.mean`).data);
  });

  test('VAE encoder: blocks and moments', async () => {
    const golden = await openGolden('networks/vae_encode');
    const x = golden.f32('in.x');
    const acts = comparable(golden);
    const graph = graphOf(
      'vae',
      { x },
      (g, input, w) => vaeEncode(g, input('x'), w, model.configs.vae),
      8,
    );
    const dump = await runGraph(context, withTaps(graph, 'vae', golden, acts), model, { x });
    compareBlocks(dump, golden, acts);
    check('VAE encoder', dump, golden.f32('moments').data);
  });

  test('VAE decoder: blocks and image', async () => {
    const golden = await openGolden('networks/vae_decode');
    const z = golden.f32('in.z');
    const acts = comparable(golden);
    const graph = graphOf(
      'vae',
      { z },
      (g, input, w) => vaeDecode(g, input('z'), w, model.configs.vae),
      3,
    );
    const dump = await runGraph(context, withTaps(graph, 'vae', golden, acts), model, { z });
    compareBlocks(dump, golden, acts);
    check('VAE decoder', dump, golden.f32('image').data);
  });

  test('VAE: batches of another size', async () => {
    const encode = await openGolden('networks/vae_encode_shapes');
    const x = encode.f32('b2_48x80.x');
    const encoder = graphOf(
      'vae',
      { x },
      (g, input, w) => vaeEncode(g, input('x'), w, model.configs.vae),
      4,
    );
    const moments = await runGraph(context, encoder, model, { x });
    check('VAE encoder, b2_48x80', moments, encode.f32('b2_48x80.mean').data);

    const decode = await openGolden('networks/vae_decode_shapes');
    const z = decode.f32('b2_6x10.z');
    const decoder = graphOf(
      'vae',
      { z },
      (g, input, w) => vaeDecode(g, input('z'), w, model.configs.vae),
      3,
    );
    const image = await runGraph(context, decoder, model, { z });
    check('VAE decoder, b2_6x10', image, decode.f32('b2_6x10.image').data);
  });

  test('UNet: blocks at t = 199, noise at every timestep', async () => {
    const golden = await openGolden('networks/unet');
    const sample = golden.f32('in.sample');
    const prompt = golden.f32('in.encoder_hidden_states');
    const inputs = { sample, context: prompt };
    const acts = comparable(golden);
    for (const timestep of [199, 99, 49, 149, 249]) {
      const graph = unetGraph(inputs, timestep);
      const tapped = timestep === 199 ? withTaps(graph, 'unet', golden, acts) : graph;
      const dump = await runGraph(context, tapped, model, inputs);
      if (timestep === 199) compareBlocks(dump, golden, acts);
      check(`UNet, t = ${timestep}`, dump, golden.f32(`t${timestep}.eps`).data);
    }
  });

  test.each(['b2_16x24', 'b1_20x12', 'b1_18x13'])('UNet: %s', async (name) => {
    const golden = await openGolden('networks/unet_shapes');
    const inputs = { sample: golden.f32(`${name}.sample`), context: golden.f32(`${name}.ehs`) };
    const dump = await runGraph(context, unetGraph(inputs, 199), model, inputs);
    check(`UNet, ${name}`, dump, golden.f32(`${name}.eps`).data);
  });

  function unetGraph(
    inputs: { sample: GoldenTensor<Float32Array>; context: GoldenTensor<Float32Array> },
    timestep: number,
  ): Graph {
    return graphOf(
      'unet',
      inputs,
      (g, input, w) => {
        const prompt = g.affine('context', { a: input('context') }, { alpha: 1, dtype: precision });
        const values = { latent: input('sample'), context: prompt, timestep };
        return unet(g, values, w, model.configs.unet);
      },
      4,
    );
  }
});

/**
 * Our tensor in the golden's layout. Transformers end as sequences [N, L, C] here and as images
 * [N, C, H, W] there; everything else is dumped as the goldens are.
 */
function layoutLike(
  shape: readonly number[],
  { shape: ours, data }: { readonly shape: readonly number[]; readonly data: Float32Array },
): Float32Array {
  if (shape.length !== 4 || ours.length !== 3) return data;
  const [n = 1, l = 1, c = 1] = ours;
  return toNchw(data, [n, l, 1, c], { count: c }).data;
}
