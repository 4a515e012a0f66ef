/**
 * Each norm's eps, through single blocks on inputs so small (std 0.001) that a wrong one shows: whole
 * networks hide it (mutations.json: 4e-6 to 6e-5). The blocks are cut out of the networks' own
 * graphs, so it is the networks' eps that is tested. f32 only: f16 hides eps by its rounding.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { type Graph, inputsOf, type Node } from '../../src/graph/graph.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { noisePredictor } from '../../src/invsr/noise-predictor.ts';
import { toNchw } from '../../src/invsr/parity.ts';
import { textEncoder } from '../../src/invsr/text-encoder.ts';
import { openTextModel, type TextModel } from '../../src/invsr/text-model.ts';
import { unet } from '../../src/invsr/unet.ts';
import { vaeDecode, vaeEncode } from '../../src/invsr/vae.ts';
import { adapterNames } from '../harness/device.ts';
import { type Golden, type GoldenTensor, goldenPath, openGolden } from '../harness/goldens.ts';
import { fusedReference } from '../harness/module-taps.ts';
import { GATE, openTestContext, relativeError, runGraph } from '../harness/networks.ts';
import { anyPrompt, tinyModel, tinyTextEncoder } from '../harness/synthetic.ts';

interface Probe {
  readonly eps: number;
  readonly wrong_eps: number;
  /** How far the wrong eps moves the official block's output. */
  readonly rms_over_std: number;
}
const PROBES = Object.entries(
  JSON.parse(readFileSync(goldenPath('networks/eps_probe_sensitivity.json'), 'utf8')) as Record<
    string,
    Record<string, Probe>
  >,
).map(([block, norms]) => ({ block, norms }));

/** Wrong values that move less than this drown in the gate; their norms are checked by value alone. */
const VISIBLE = 3 * GATE.f32;

describe.each(adapterNames)('%s', (adapter) => {
  let context: EngineContext;
  let close: () => void;
  let model: Model;
  let text: TextModel;
  /** Of both: a context holds the weights of one. */
  let reader: Pick<Model, 'readWeight'>;
  let golden: Golden;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
    model = await openModel(tinyModel(), anyPrompt);
    text = await openTextModel(tinyTextEncoder());
    reader = {
      readWeight: (weight) => (isText(weight.key) ? text : model).readWeight(weight),
    };
    golden = await openGolden('networks/eps_probe');
  });
  afterAll(() => close());

  test.each(PROBES)('$block', async ({ block, norms }) => {
    const whole = isText(block) ? textGraph(text) : networkOf(model, block);
    expect(await errorOf(whole, block)).toBeLessThan(GATE.f32);

    for (const [norm, { eps, wrong_eps: wrongEps, rms_over_std: sensitivity }] of Object.entries(
      norms,
    )) {
      const path = norm === 'self' ? block : `${block}.${norm}`;
      expect(epsOf(whole, path), path).toBe(eps);
      if (sensitivity < VISIBLE) continue;
      const error = await errorOf(withEps(whole, path, wrongEps), block);
      expect(error / sensitivity, `${path} with the wrong eps`).toBeGreaterThan(0.5);
      expect(error / sensitivity).toBeLessThan(2);
    }
  });

  async function errorOf(whole: Graph, block: string): Promise<number> {
    const { graph, inputs } = cutOut(whole, block, golden);
    const { shape, data } = (await runGraph(context, graph, reader, inputs)).get('result')!;
    const expected = golden.f32(`${block}.out`);
    const [n = 1, l = 1, c = 1] = shape;
    // Attentions over pixels end as sequences here and as images there.
    const ours =
      shape.length === 3 && expected.shape.length === 4
        ? toNchw(data, [n, l, 1, c], { count: c }).data
        : data;
    return relativeError(ours, fusedReference(block, expected.data));
  }
});

const isText = (block: string): boolean => block.startsWith('text_encoder');

/** The probes have seven tokens; the position embedding, which is not probed, would have 77. */
function textGraph({ checkpoint, config }: TextModel): Graph {
  const positions = 'text_model.embeddings.position_embedding.weight';
  const shapes = new Map<string, { shape: readonly number[] }>(checkpoint.tensors);
  shapes.set(positions, { shape: [7, config.channels] });
  const g = new GraphBuilder({ precision: 'f32' });
  const tokens = g.external('tokens', { dtype: 'f32', shape: [1, 7, config.channels] });
  textEncoder(g, tokens, g.checkpoint('text_encoder', shapes), config);
  return g.build();
}

/** The graph of the network a block belongs to, of a size that gives the block 6x5 pixels. */
function networkOf({ configs, shapes }: Model, block: string): Graph {
  const g = new GraphBuilder({ precision: 'f32' });
  const isSecondLevel = block.includes('down_blocks.1');
  const [h, w] = isSecondLevel ? [12, 10] : [6, 5];
  const x = g.external('x', { dtype: 'f32', shape: [1, h, w, 4] });
  const timestep = 199;
  if (block.startsWith('unet')) {
    const prompt = g.external('ctx', { dtype: 'f32', shape: [1, 77, 64] });
    const inputs = { latent: x, context: prompt, timestep };
    unet(g, inputs, g.checkpoint('unet', shapes.unet), configs.unet);
  } else if (block.startsWith('noise_predictor')) {
    // One level down already at the end.
    const lr = g.external('lr', { dtype: 'f32', shape: [1, 12, 10, 4] });
    const weights = g.checkpoint('noise_predictor', shapes.noisePredictor);
    noisePredictor(g, { lr, timestep }, weights, configs.noisePredictor);
  } else {
    const weights = g.checkpoint('vae', shapes.vae);
    const half = block.startsWith('vae.encoder') ? vaeEncode : vaeDecode;
    half(g, x, weights, configs.vae);
  }
  return g.build();
}

/** The nodes below a path, as a graph of their own, and what they read from outside. */
function cutOut(
  whole: Graph,
  block: string,
  golden: Golden,
): { graph: Graph; inputs: Record<string, GoldenTensor<Float32Array>> } {
  const nodes = whole.nodes.filter(({ path }) => path === block || path.startsWith(`${block}.`));
  const inside = new Set(nodes.map(({ output }) => output.id));
  const externals = new Map<number, string>();
  const inputs: Record<string, GoldenTensor<Float32Array>> = {};
  const leaves = nodes.flatMap((node) => inputsOf(node).map(([, tensor]) => tensor.id));
  for (const id of leaves) {
    if (inside.has(id) || whole.weights.has(id)) continue;
    const name = leafName(whole, id);
    externals.set(id, name);
    inputs[name] = leafValue(name, block, golden);
  }
  const last = nodes.at(-1)!.output;
  const result = { tensor: last, channels: last.shape.at(-1)! };
  return {
    graph: { nodes, weights: whole.weights, externals, names: new Map([['result', result]]) },
    inputs,
  };
}

/** SiLU of the time embedding is shared by all resnets, hence a leaf. */
function leafName(whole: Graph, id: number): 'ctx' | 'temb' | 'silu(temb)' | 'in' {
  if (whole.externals.get(id) === 'ctx') return 'ctx';
  const producer = whole.nodes.find(({ output }) => output.id === id);
  if (producer?.op === 'activation') return 'silu(temb)';
  return producer?.path.includes('time_embedding') ? 'temb' : 'in';
}

function leafValue(
  name: ReturnType<typeof leafName>,
  block: string,
  golden: Golden,
): GoldenTensor<Float32Array> {
  if (name === 'ctx') return golden.f32('ctx');
  if (name === 'in') return golden.f32(`${block}.in`);
  const temb = golden.f32(block.startsWith('unet') ? 'temb_unet' : 'temb_np');
  return name === 'temb' ? temb : { ...temb, data: temb.data.map((v) => v / (1 + Math.exp(-v))) };
}

const isNorm = (node: Node): node is Node<'groupNormFinalize' | 'layerNorm'> =>
  node.op === 'groupNormFinalize' || node.op === 'layerNorm';

function epsOf(graph: Graph, path: string): number {
  const node = graph.nodes.filter(isNorm).find((n) => n.path.replace(/\.finalize$/, '') === path);
  if (!node) throw new Error(`no norm at ${path}`);
  return node.constants.eps;
}

const withEps = (graph: Graph, path: string, eps: number): Graph => ({
  ...graph,
  nodes: graph.nodes.map((node) =>
    isNorm(node) && node.path.replace(/\.finalize$/, '') === path
      ? ({ ...node, constants: { ...node.constants, eps } } as Node)
      : node,
  ),
});
