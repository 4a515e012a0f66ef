/**
 * Proof that the golden tests can fail: mistakes made from outside, in configs, graphs, weights and
 * inputs, and how far each moves the tiny models' results. Where data/mutations.json knows the
 * mistake, the official code with it is off by as much. In f32; what hides below its gate in whole
 * networks (the UNet's eps) is tested in eps-probe.test.ts.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import type { PlanWeight } from '../../src/engine/plan.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Weights } from '../../src/graph/weights.ts';
import type { Graph, Node, Tensor } from '../../src/graph/graph.ts';
import { type Model, type ModelConfigs, openModel, type Tensors } from '../../src/invsr/model.ts';
import { noisePredictor } from '../../src/invsr/noise-predictor.ts';
import { unet } from '../../src/invsr/unet.ts';
import { vaeDecode, vaeEncode } from '../../src/invsr/vae.ts';
import { adapterNames } from '../harness/device.ts';
import { type Golden, type GoldenTensor, goldenPath, openGolden } from '../harness/goldens.ts';
import { roundF16 } from '../harness/half.ts';
import { GATE, openTestContext, pathGraphs, relativeError, runGraph } from '../harness/networks.ts';
import { anyPrompt, tinyModel } from '../harness/synthetic.ts';

type Inputs = Record<string, GoldenTensor<Float32Array>>;

/** What one run takes; a mistake returns it changed. */
interface Subject {
  readonly configs: ModelConfigs;
  readonly timestep: number;
  readonly inputs: Inputs;
  /** Applied to the finished graph's nodes. */
  readonly node: (node: Node) => Node;
  readonly weight: (weight: PlanWeight, bytes: Uint8Array) => Uint8Array;
  /** Reads this weight in place of the one named. */
  readonly rename: (key: string) => string;
}
type Mistake = (right: Subject) => Partial<Subject>;

/** `op` in the nodes of one kind gets other constants or inputs. */
const onNodes =
  <K extends Node['op']>(op: K, change: (node: Node<K>) => Partial<Node<K>>): Mistake =>
  () => ({
    node: (node) => (node.op === op ? { ...node, ...change(node as Node<K>) } : node),
  });
const constants =
  (op: Node['op'], changed: object): Mistake =>
  () => ({
    node: (node) =>
      node.op === op ? ({ ...node, constants: { ...node.constants, ...changed } } as Node) : node,
  });
/** Downsampling convolutions only. */
const padding = (top: number, left: number, bottom: number, right: number): Mistake =>
  onNodes('conv2d', (node) =>
    node.constants.stride === 2
      ? { constants: { ...node.constants, padding: { top, left, bottom, right } } }
      : {},
  );
const config =
  <Part extends keyof ModelConfigs>(part: Part, changed: Partial<ModelConfigs[Part]>): Mistake =>
  ({ configs }) => ({ configs: { ...configs, [part]: { ...configs[part], ...changed } } });
const input =
  (name: string, change: (data: Float32Array) => Float32Array): Mistake =>
  ({ inputs }) => ({
    inputs: { ...inputs, [name]: { ...inputs[name]!, data: change(inputs[name]!.data) } },
  });
const swapWeights =
  (a: string, b: string): Mistake =>
  () => ({ rename: (key) => ({ [a]: b, [b]: a })[key] ?? key });
const zeros = (data: Float32Array): Float32Array => data.map(() => 0);

/** The halves of the last axis of f16 [K, N] or f32 [N] exchanged. */
function swapHalves({ type }: PlanWeight, bytes: Uint8Array): Uint8Array {
  const row = type.shape.at(-1)! * (type.dtype === 'f16' ? 2 : 4);
  return bytes.map((_, i) => bytes[i - (i % row) + ((i + row / 2) % row)]!);
}
const halvesOf =
  (name: RegExp): Mistake =>
  () => ({
    weight: (weight, bytes) => (name.test(weight.key) ? swapHalves(weight, bytes) : bytes),
  });

/** By golden; names as in mutations.json where it has the mistake. */
const MISTAKES: Readonly<Record<string, Readonly<Record<string, Mistake>>>> = {
  noise_predictor: {
    'timestep 200 instead of 199': () => ({ timestep: 200 }),
    'input not centred (lr instead of 2*lr-1)': constants('affine', { alpha: 1, gamma: 0 }),
    'symmetric padding in the downsample': padding(1, 1, 0, 0),
    'all eps 1e-5 instead of 1e-6': constants('groupNormFinalize', { eps: 1e-5 }),
    'sin first instead of cos first': config('noisePredictor', { flipSinToCos: false }),
    'frequency shift 1 instead of 0': config('noisePredictor', { freqShift: 1 }),
    'one head instead of C/16': config('noisePredictor', { headDim: null }),
    'four groups instead of eight': config('noisePredictor', { groups: 4 }),
    'no SiLU in the norms': constants('groupNormApply', { activation: 'none' }),
    'heads of 8': config('noisePredictor', { headDim: 8 }),
  },
  vae_encode: {
    'symmetric padding in the downsample': padding(1, 1, 0, 0),
    'mid attention: 4 heads instead of 1': constants('attention', { heads: 4 }),
    'all eps 1e-5 instead of 1e-6': constants('groupNormFinalize', { eps: 1e-5 }),
    'mean and log-variance exchanged': halvesOf(/quant_conv/),
  },
  vae_decode: {
    'mid attention skipped': config('vae', { midAttention: false }),
    'two layers exchanged': swapWeights(
      'vae/decoder.up_blocks.3.resnets.1.conv1.weight',
      'vae/decoder.up_blocks.3.resnets.1.conv2.weight',
    ),
  },
  unet: {
    'timestep 200 instead of 199': () => ({ timestep: 200 }),
    'GEGLU halves swapped': halvesOf(/net\.0\.proj/),
    'asymmetric padding in the downsamples': padding(0, 0, 1, 1),
    'half as many groups': config('unet', { groups: 4 }),
    'other heads': config('unet', { heads: [1, 3, 4, 4] }),
    'keys and values exchanged': onNodes('attention', ({ inputs }) => ({
      inputs: { ...inputs, k: inputs.v, v: inputs.k },
    })),
    'one layer norm eps 1e-2': onNodes('layerNorm', ({ constants: c, path }) =>
      path.endsWith('up_blocks.3.attentions.2.transformer_blocks.0.norm3')
        ? { constants: { ...c, eps: 1e-2 } }
        : {},
    ),
    'one bias of 64 ignored': () => ({
      weight: ({ key }, bytes) =>
        key === 'unet/mid_block.attentions.0.transformer_blocks.0.ff.net.2.bias'
          ? bytes.map(() => 0)
          : bytes,
    }),
    'queries and values of one layer exchanged': swapWeights(
      'unet/down_blocks.2.attentions.1.transformer_blocks.0.attn1.to_q.weight',
      'unet/down_blocks.2.attentions.1.transformer_blocks.0.attn1.to_v.weight',
    ),
  },
  e2e_s1: {
    'timesteps not decremented (200)': () => ({ timestep: 200 }),
    'draws swapped': ({ inputs }) => ({
      inputs: { ...inputs, draw0: inputs['draw1']!, draw1: inputs['draw0']! },
    }),
    'mean of the noise instead of a sample': input('draw0', zeros),
    'VAE mode instead of sample': input('draw1', zeros),
    'scale_model_input omitted': onNodes('affine', ({ path, constants: c }) =>
      path === 'step0.scaled_input' ? { constants: { ...c, alpha: 1 } } : {},
    ),
    'noise level of the next timestep': onNodes('affine', ({ path, constants: c }) =>
      // sigma(200) / sigma(199)
      path === 'latents_T' ? { constants: { ...c, beta: c.beta! * 1.00428 } } : {},
    ),
    'scaling factor of another VAE': config('vae', { scalingFactor: 0.13025 }),
  },
};
/** Needs the image before its rounding, so it replaces the input in another way. */
const NOT_ROUNDED = 'LR not rounded to float16';

/** gelu(v) = v/2·(1 + erf(v/√2)) with something else for erf. */
const ERF = /fn erf\(v: vec4f\) -> vec4f \{[^}]*\}/;
const WRONG_ERFS = {
  'tanh gelu instead of erf gelu': 'tanh(1.12837917 * (v + 0.08943 * v * v * v))',
  'quick gelu': 'tanh(1.20349576 * v)', // v·sigmoid(1.702·v)
} as const;

const KNOWN = JSON.parse(readFileSync(goldenPath('mutations.json'), 'utf8')) as {
  readonly golden: string;
  readonly mistake: string;
  readonly rms_over_std: number;
}[];
const knownEffect = (golden: string, mistake: string): number | undefined =>
  KNOWN.find((known) => known.golden === golden && known.mistake === mistake)?.rms_over_std;

// One adapter is enough: it is the tests that are tested.
describe.each(adapterNames.slice(-1))('%s', (adapter) => {
  let context: EngineContext;
  let close: () => void;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
  });
  afterAll(() => close());

  describe.each(Object.keys(MISTAKES))('%s', (golden) => {
    test('right', async () => {
      expect(await errorWith(golden, () => ({}))).toBeLessThan(GATE.f32);
    });

    test.each(Object.keys(MISTAKES[golden]!))('%s', async (mistake) => {
      const error = await errorWith(golden, MISTAKES[golden]![mistake]!);
      expectEffect(golden, mistake, error);
    });
  });

  test(NOT_ROUNDED, async () => {
    const { data } = (await openGolden('networks/e2e_s1')).f32('lr');
    const error = await errorWith(
      'e2e_s1',
      input('tiles', () => data),
    );
    expectEffect('e2e_s1', NOT_ROUNDED, error);
  });

  test.each(Object.keys(WRONG_ERFS) as (keyof typeof WRONG_ERFS)[])('unet: %s', async (mistake) => {
    const right = context;
    const wrong = await openTestContext(adapter); // pipelines are the device's
    try {
      const { device } = wrong.context;
      const create = device.createShaderModule.bind(device);
      let changed = 0;
      device.createShaderModule = (descriptor) => {
        if (ERF.test(descriptor.code)) changed++;
        const erf = `fn erf(v: vec4f) -> vec4f { return ${WRONG_ERFS[mistake]}; }`;
        return create({ ...descriptor, code: descriptor.code.replace(ERF, erf) });
      };
      context = wrong.context;
      expectEffect('unet', mistake, await errorWith('unet', () => ({})));
      expect(changed).toBeGreaterThan(0);
    } finally {
      context = right;
      wrong.close();
    }
  });

  function expectEffect(golden: string, mistake: string, error: number): void {
    expect(error).toBeGreaterThan(GATE.f32);
    const known = knownEffect(golden, mistake);
    if (known === undefined) return;
    // The whole path was measured at the clamped image there, here before clamping.
    const slack = golden === 'e2e_s1' ? 2 : 1.02;
    expect(error / known).toBeGreaterThan(1 / slack);
    expect(error / known).toBeLessThan(slack);
  }

  async function errorWith(name: string, mistake: Mistake): Promise<number> {
    const golden = await openGolden(`networks/${name}`);
    const model = await openModel(tinyModel(), promptOf(golden));
    const { inputs, expected } = rightOf(name, golden);
    const right: Subject = {
      configs: model.configs,
      timestep: 199,
      inputs,
      node: (node) => node,
      weight: (_, bytes) => bytes,
      rename: (key) => key,
    };
    const subject: Subject = { ...right, ...mistake(right) };
    const graphs = graphsOf(name, { ...model, configs: subject.configs }, subject);
    const wrongModel: Model = {
      ...model,
      readWeight: async (weight, signal) =>
        subject.weight(
          weight,
          await model.readWeight({ ...weight, key: subject.rename(weight.key) }, signal),
        ),
      placeOf: undefined, // or the right bytes would be streamed
    };
    const mutated = graphs.map((graph) => ({ ...graph, nodes: graph.nodes.map(subject.node) }));
    try {
      const dump = await runGraph(context, mutated, wrongModel, subject.inputs);
      return relativeError(dump.get(name === 'e2e_s1' ? 'decoded' : 'result')!.data, expected);
    } finally {
      context.weights.dispose(); // they may be wrong ones
      await model.close();
    }
  }
});

const promptOf = (golden: Golden): Tensors => {
  if (!golden.has('prompt_embeds')) return anyPrompt;
  const { shape, data } = golden.f32('prompt_embeds');
  const bytes = new Uint8Array(Float32Array.from(data).buffer);
  const name = 'prompt_embeds';
  return new Map([[name, { name, dtype: 'F32', shape, bytes }]]);
};

/** A golden's own inputs, by the names of our externals, and its result. */
function rightOf(name: string, golden: Golden): { inputs: Inputs; expected: Float32Array } {
  const at = (key: string): GoldenTensor<Float32Array> => golden.f32(key);
  switch (name) {
    case 'noise_predictor':
      return { inputs: { lr: at('in.lr') }, expected: at('t199.moments').data };
    case 'vae_encode':
      return { inputs: { x: at('in.x') }, expected: at('moments').data };
    case 'vae_decode':
      return { inputs: { z: at('in.z') }, expected: at('image').data };
    case 'unet': {
      const inputs = { latent: at('in.sample'), context: at('in.encoder_hidden_states') };
      return { inputs, expected: at('t199.eps').data };
    }
    default: {
      const lr = at('lr');
      const tiles = { ...lr, data: roundF16(lr.data) };
      const draws = { draw0: at('draws.call0.draw0'), draw1: at('draws.call0.draw1') };
      return { inputs: { tiles, ...draws }, expected: at('call0.decoded').data };
    }
  }
}

function graphsOf(name: string, model: Model, { timestep, inputs }: Subject): readonly Graph[] {
  if (name === 'e2e_s1') {
    const options = { batch: 1, tile: 32, timesteps: [timestep + 1], cfg: 1 } as const;
    return pathGraphs(model, { precision: 'f32', ...options, noise: 'given' });
  }
  const { configs, shapes } = model;
  const g = new GraphBuilder({ precision: 'f32' });
  const external = (key: string): Tensor => {
    const { shape } = inputs[key]!;
    const [n = 1, , h = 1, w = 1] = shape;
    return g.external(key, { dtype: 'f32', shape: shape.length === 4 ? [n, h, w, 4] : shape });
  };
  const make = (): [result: Tensor, channels: number] => {
    const vae = (): Weights => g.checkpoint('vae', shapes.vae);
    switch (name) {
      case 'vae_encode':
        return [vaeEncode(g, external('x'), vae(), configs.vae), 8];
      case 'vae_decode':
        return [vaeDecode(g, external('z'), vae(), configs.vae), 3];
      case 'unet': {
        const w = g.checkpoint('unet', shapes.unet);
        const [latent, context] = [external('latent'), external('context')];
        return [unet(g, { latent, context, timestep }, w, configs.unet), 4];
      }
      default: {
        const lr = g.affine('centre', { a: external('lr') }, { alpha: 2, gamma: -1 });
        const w = g.checkpoint('noise_predictor', shapes.noisePredictor);
        return [noisePredictor(g, { lr, timestep }, w, configs.noisePredictor), 8];
      }
    }
  };
  g.name('result', ...make());
  return [g.build()];
}
