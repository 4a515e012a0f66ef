/**
 * Networks whose products are all computed in several kernels (graph/algorithms.ts): as close to those
 * of whole products as the gates of the official numbers allow.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { Buffers } from '../../src/invsr/buffers.ts';
import { openModel } from '../../src/invsr/model.ts';
import { createRunner } from '../../src/invsr/runner.ts';
import { stageGraph } from '../../src/invsr/tile-graph.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { GATE, openTestContext, relativeError, RUNS } from '../harness/networks.ts';
import { normal } from '../harness/random.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A tuning table that has one algorithm for every product that knows it. */
const everywhere = (algorithm: string): NonNullable<Target['designs']> =>
  new Proxy<Record<string, string>>(
    {},
    { get: (_, key) => (String(key).startsWith('algorithm ') ? algorithm : undefined) },
  );

/** A kernel that each algorithm has, and at least so many times in a network. */
const ALGORITHMS = [
  ['winograd', 'winogradOutput', 10],
  ['split2', 'gemmReduce', 10],
] as const;

// Compiling the GPUs' programs takes software adapters long: lavapipe in f16, where there is one.
describe.each(RUNS.slice(-1))('$adapter, $precision', ({ adapter, precision }) => {
  test.each(ALGORITHMS)('decode by %s', async (algorithm, kernelName, count) => {
    const { context, close } = await openTestContext(adapter, 'alu');
    closers.push(close);
    const model = await openModel(nodeFolder('weights/invsr-nano'));
    const options = { precision, batch: 1, tile: 16, timesteps: [200], cfg: 1 } as const;
    const graph = stageGraph('decode', model, { ...options, noise: 'given' });
    const results = [];
    for (const name of ['whole', algorithm]) {
      const target = { ...context.target, designs: everywhere(name) };
      const runner = await createRunner({ ...context, target }, graph, { model });
      const kernels = runner.plan.dispatches.filter(({ kernel }) => kernel.name === kernelName);
      if (name === 'whole') expect(kernels).toEqual([]);
      else expect(kernels.length).toBeGreaterThanOrEqual(count);
      const buffers = new Buffers(context);
      for (const [external, { shape }] of Object.entries(runner.plan.externals)) {
        await buffers.write(
          external,
          normal(
            shape.reduce((a, b) => a * b, 1),
            7,
          ),
        );
      }
      await runner.run(buffers);
      const patch = buffers.at('patch');
      results.push(new Float32Array(await readBuffer(context.device, patch, patch.size)));
      runner.dispose();
      buffers.dispose();
    }
    const [whole, parts] = results;
    const error = relativeError(parts!, whole!);
    expect(error).toBeLessThan(GATE[precision]);
    expect(error).toBeGreaterThan(0); // it was computed in another way
    await model.close();
  });
});
