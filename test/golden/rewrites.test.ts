/**
 * What rewriting a graph into fewer dispatches changes: nothing. Where every tensor is named, each
 * keeps its node; that graph's result is the reference.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { readBuffer } from '../../src/engine/readback.ts';
import { fuse } from '../../src/graph/fuse.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { foldNorms } from '../../src/graph/norms.ts';
import { Buffers } from '../../src/invsr/buffers.ts';
import { openModel } from '../../src/invsr/model.ts';
import { createRunner } from '../../src/invsr/runner.ts';
import { type Stage, stageGraph, STAGES } from '../../src/invsr/tile-graph.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { GATE, openTestContext, relativeError, RUNS } from '../harness/networks.ts';
import { uniform } from '../harness/random.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

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

describe.each(RUNS)('$adapter, $precision', ({ adapter, precision }) => {
  // Compiling the GPUs' programs takes software adapters long: in one precision each.
  const families = precision === 'f16' || adapter === 'swiftshader' ? ['cpu', 'alu'] : ['cpu'];
  test.each(families as ('cpu' | 'alu')[])('every stage for %s', async (family) => {
    const { context, close } = await openTestContext(adapter, family);
    closers.push(close);
    const model = await openModel(nodeFolder('weights/invsr-nano'));
    const options = { precision, batch: 2, tile: 16, timesteps: [200], cfg: 1 } as const;
    for (const stage of STAGES) {
      const graph = stageGraph(stage, model, { ...options, noise: 'given' });
      const results = [];
      const lengths = [];
      for (const [variant, keep] of [
        [named(graph), true],
        [graph, false],
        // As GPUs do with large images, which these are not.
        [foldNorms(fuse(graph)), false],
      ] as const) {
        const runner = await createRunner(context, variant, { model, keep: () => keep });
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
        const name = OUTPUT[stage];
        results.push(await readFloats(context.device, buffers.at(name)));
        lengths.push(runner.plan.dispatches.length);
        runner.dispose();
        buffers.dispose();
      }
      for (const i of [1, 2]) {
        expect(lengths[i]).toBeLessThan(lengths[0]!);
        expect(relativeError(results[i]!, results[0]!)).toBeLessThan(GATE[precision]);
      }
    }
    await model.close();
  });
});
