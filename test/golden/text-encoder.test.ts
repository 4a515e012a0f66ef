/**
 * The tiny text encoder against the official numbers, layer by layer, and proof that these tests can
 * fail: mistakes made in its config and its graph, each of which must leave the gate.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import type { TextEncoderConfig } from '../../src/invsr/config.ts';
import type { Dump } from '../../src/invsr/parity.ts';
import { readTokenRows, textEncoder } from '../../src/invsr/text-encoder.ts';
import { openTextModel, type TextModel } from '../../src/invsr/text-model.ts';
import { adapterNames } from '../harness/device.ts';
import { type Golden, openGolden } from '../harness/goldens.ts';
import { comparable, withTaps } from '../harness/module-taps.ts';
import {
  errorAgainst,
  GATE,
  openTestContext,
  type Precision,
  relativeError,
  runGraph,
  RUNS,
} from '../harness/networks.ts';
import { record } from '../harness/numerics.ts';
import { tinyTextEncoder } from '../harness/synthetic.ts';
import { END, START } from '../harness/tiny-tokenizer.ts';

let golden: Golden;
let model: TextModel;
beforeAll(async () => {
  golden = await openGolden('networks/clip_text');
  model = await openTextModel(tinyTextEncoder());
});

function idsOf(prompt: string): number[] {
  // The empty prompt has no ids in the file: begin, end, and the padding of SD 2, "!".
  if (!golden.has(`${prompt}.input_ids`)) return [START, END, ...Array<number>(75).fill(0)];
  return [...(golden.at(`${prompt}.input_ids`).data as Int32Array)];
}

function graphOf(precision: Precision, config: TextEncoderConfig): Graph {
  const g = new GraphBuilder({ precision });
  const tokens = g.external('tokens', { dtype: 'f32', shape: [1, 77, 64] });
  const weights = g.checkpoint('text_encoder', model.checkpoint.tensors);
  g.name('result', textEncoder(g, tokens, weights, config));
  return g.build();
}

async function run(context: EngineContext, graph: Graph, prompt: string): Promise<Dump> {
  const data = await readTokenRows(model.checkpoint, idsOf(prompt), model.config);
  return runGraph(context, graph, model, { tokens: { shape: [1, 77, 64], data } });
}

describe.each(RUNS)('$adapter $precision', ({ adapter, precision }) => {
  let context: EngineContext;
  let close: () => void;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
  });
  afterAll(() => close());

  test('every layer', async () => {
    const acts = comparable(golden);
    const graph = withTaps(graphOf(precision, model.config), 'text_encoder', golden, acts);
    const dump = await run(context, graph, 'positive');
    const errors = acts.map((act) => [act, errorAgainst(dump, act, golden)] as const);
    const wrong = errors.filter(([, error]) => !(error <= GATE[precision]));
    expect(wrong.map(([act, error]) => `${act}: ${error.toExponential(2)}`)).toEqual([]);
    // The embeddings, three per layer, the final norm.
    expect(acts).toHaveLength(8);
  });

  test.each(['positive', 'negative', 'empty'])('states of the %s prompt', async (prompt) => {
    const dump = await run(context, graphOf(precision, model.config), prompt);
    const error = errorAgainst(dump, 'result', golden, `${prompt}.embeds`);
    record({ what: `text encoder, ${prompt} prompt`, adapter, precision, error });
    expect(error).toBeLessThan(GATE[precision]);
  });
});

// One adapter: each kernel runs on all of them in the conformance sweep.
test.each(adapterNames.slice(-1))("%s with GPUs' kernels", async (adapter) => {
  const { context, close } = await openTestContext(adapter, 'alu');
  try {
    const dump = await run(context, graphOf('f32', model.config), 'positive');
    expect(errorAgainst(dump, 'result', golden, 'positive.embeds')).toBeLessThan(GATE.f32);
  } finally {
    close();
  }
});

const onNodes =
  (change: (node: Node) => Node) =>
  (graph: Graph): Graph => ({ ...graph, nodes: graph.nodes.map(change) });

interface Mistake {
  readonly config?: Partial<TextEncoderConfig>;
  readonly graph?: (graph: Graph) => Graph;
}
const MISTAKES: Readonly<Record<string, Mistake>> = {
  'no causal mask': {
    graph: onNodes((node) =>
      node.op === 'attention' ? { ...node, constants: { ...node.constants, causal: false } } : node,
    ),
  },
  'quick gelu': { config: { activation: 'quickGelu' } },
  'no final norm': {
    graph: (graph) => {
      const { tensor, channels } = graph.names.get('result')!;
      const norm = graph.nodes.find((node) => node.output.id === tensor.id);
      if (norm?.op !== 'layerNorm') throw new Error('the last node is no norm');
      return { ...graph, names: new Map([['result', { tensor: norm.inputs.x, channels }]]) };
    },
  },
  'no positions': {
    graph: onNodes((node) =>
      node.op === 'affine' ? { ...node, constants: { ...node.constants, beta: 0 } } : node,
    ),
  },
  'the last layer but one': { config: { layers: 1 } },
  'half as many heads': { config: { heads: 2 } },
};

// One adapter is enough: it is the tests that are tested. In f32, where the gate is narrow.
describe.each(RUNS.filter(({ precision }) => precision === 'f32').slice(-1))(
  'mistakes on $adapter',
  ({ adapter }) => {
    let context: EngineContext;
    let close: () => void;
    beforeAll(async () => {
      ({ context, close } = await openTestContext(adapter));
    });
    afterAll(() => close());

    test.each(Object.entries(MISTAKES))('%s', async (_, { config, graph = (same) => same }) => {
      const wrong = graph(graphOf('f32', { ...model.config, ...config }));
      const dump = await run(context, wrong, 'positive');
      const { data } = golden.f32('positive.embeds');
      expect(relativeError(dump.get('result')!.data, data)).toBeGreaterThan(100 * GATE.f32);
    });
  },
);
