/**
 * What rewriting a graph into fewer dispatches changes: nothing. Where every tensor is named, each
 * keeps its node; that graph's result, of the kernels for software adapters, is the reference.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { fuse } from '../../src/graph/fuse.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { foldNorms } from '../../src/graph/norms.ts';
import { Buffers } from '../../src/invsr/buffers.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { createRunner } from '../../src/invsr/runner.ts';
import { type Stage, stageGraph, STAGES } from '../../src/invsr/tile-graph.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { GATE, openTestContext, relativeError, RUNS } from '../harness/networks.ts';
import { uniform } from '../harness/random.ts';

const OUTPUT = {
  noise_predictor: 'noise',
  encode: 'init_latents',
  denoise: 'latents',
  decode: 'patch',
} as const satisfies Record<Stage, string>;

const readFloats = async (device: GPUDevice, buffer: GPUBuffer): Promise<Float32Array> =>
  new Float32Array(await readBuffer(device, buffer, buffer.size));

/** Each tensor under the path of its layer. */
const named = (graph: Graph): Graph => ({
  ...graph,
  names: new Map(
    graph.nodes.map(({ path, output }, i) => [
      `${i} ${path}`,
      { tensor: output, channels: output.shape.at(-1) ?? 0 },
    ]),
  ),
});

interface Result {
  readonly values: Float32Array;
  readonly dispatches: number;
}

/** The stage's output for inputs that are the same for every variant of its graph. */
async function resultOf(
  context: EngineContext,
  stage: Stage,
  graph: Graph,
  model: Model,
): Promise<Result> {
  // Everything that has a name, which is nothing or all.
  const keep = (): boolean => graph.names.size === graph.nodes.length;
  const runner = await createRunner(context, graph, { model, keep, compact: false });
  const buffers = new Buffers(context);
  const next = uniform(7);
  for (const [name, { shape }] of Object.entries(runner.plan.externals)) {
    const size = shape.reduce((a, b) => a * b, 1);
    // The fourth channel of an image is padding.
    const isImage = name === 'tiles';
    const value = (_: unknown, i: number): number => (isImage && i % 4 === 3 ? 0 : next());
    await buffers.write(name, Float32Array.from({ length: size }, value));
  }
  await runner.run(buffers);
  const values = await readFloats(context.device, buffers.at(OUTPUT[stage]));
  const dispatches = runner.plan.dispatches.length;
  runner.dispose();
  buffers.dispose();
  return { values, dispatches };
}

/**
 * Compiling the GPUs' programs takes software adapters up to a minute for each stage, lavapipe some minutes where
 * its cache is empty. Where there are two adapters, lavapipe has one stage in f16, which SwiftShader lacks; the
 * noise predictor's blocks are the UNet's.
 */
function stagesForGpus(adapter: string, precision: 'f16' | 'f32'): readonly Stage[] {
  const isShared = new Set(RUNS.map((run) => run.adapter)).size > 1;
  if (adapter === 'swiftshader') return isShared ? ['encode', 'denoise'] : STAGES;
  if (precision === 'f32') return [];
  return isShared ? ['decode'] : STAGES;
}

describe.each(RUNS)('$adapter, $precision', ({ adapter, precision }) => {
  // One for all: stages share most of what is compiled.
  let context: EngineContext;
  let model: Model;
  let close: () => void;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
    model = await openModel(nodeFolder('weights/invsr-nano'));
  });
  afterAll(async () => {
    close();
    await model.close();
  });
  const cases = [
    ...STAGES.map((stage) => ({ family: 'cpu', stage }) as const),
    ...stagesForGpus(adapter, precision).map((stage) => ({ family: 'alu', stage }) as const),
  ];

  test.each(cases)('$stage, rewritten for $family', async ({ stage, family }) => {
    const options = { precision, batch: 2, tile: 16, timesteps: [200], cfg: 1 } as const;
    const graph = stageGraph(stage, model, { ...options, noise: 'given' });
    const expected = await resultOf(context, stage, named(graph), model);
    const rewritten = { ...context, target: { ...context.target, family } };
    // GPUs have large images' norms folded, which these are not.
    const variants = family === 'alu' ? [graph] : [graph, foldNorms(fuse(graph))];
    for (const variant of variants) {
      const { values, dispatches } = await resultOf(rewritten, stage, variant, model);
      expect(dispatches).toBeLessThan(expected.dispatches);
      expect(relativeError(values, expected.values)).toBeLessThan(GATE[precision]);
    }
  });
});
