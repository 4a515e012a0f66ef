/** The text encoder at full size, as full.test.ts has the other networks; run by scripts/full.mjs. */
import { appendFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import { createDevice } from '../../src/engine/node-device.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Name } from '../../src/graph/graph.ts';
import { readTokenRows, textEncoder } from '../../src/invsr/text-encoder.ts';
import { openTextModel } from '../../src/invsr/text-model.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { goldenPath, openGolden, samplesOf } from '../harness/goldens.ts';
import { outputBelow } from '../harness/module-taps.ts';
import { GATE, relativeError, runGraph } from '../harness/networks.ts';

const environment = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: use npm run test:full`);
  return value;
};

const tolerances = JSON.parse(readFileSync(goldenPath('tolerances_full.json'), 'utf8')) as Record<
  'f32' | 'f16sim',
  Record<string, { rms_over_std: number }>
>;

describe('full size', () => {
  let context: EngineContext;
  let adapter: string;
  beforeAll(async () => {
    const created = await createDevice({ adapter: environment('INVSR_FULL_ADAPTER') });
    context = createContext(created.device);
    adapter = created.capabilities.description || created.capabilities.vendor;
  });
  afterAll(() => {
    context.dispose();
    context.device.destroy();
  });

  // The program uses f32 only (prompt.ts); f16 shows that the encoder would bear it.
  test.each(['f16', 'f32'] as const)('%s text_encoder', { timeout: 600_000 }, async (precision) => {
    const golden = await openGolden('full/clip');
    const model = await openTextModel(nodeFolder(environment('INVSR_FULL_MODEL')));
    const { config, checkpoint } = model;
    const shape = [1, config.positions, config.channels];
    const ids = [...(golden.at('positive.input_ids').data as Int32Array)];
    const tokens = { shape, data: await readTokenRows(checkpoint, ids, config) };

    const g = new GraphBuilder({ precision });
    const weights = g.checkpoint('text_encoder', checkpoint.tensors);
    const input = g.external('tokens', { dtype: 'f32', shape });
    g.name('result', textEncoder(g, input, weights, config));
    const graph = g.build();
    const layers = Array.from(
      { length: config.layers },
      (_, i) => `text_model.encoder.layers.${i}`,
    );
    const names = new Map<string, Name>(graph.names);
    for (const layer of layers) {
      const tensor = outputBelow(graph, `text_encoder.${layer}`);
      names.set(layer, { tensor, channels: config.channels });
    }

    const started = performance.now();
    const before = process.cpuUsage();
    const dump = await runGraph(context, { ...graph, names }, model, { tokens });
    const { user, system } = process.cpuUsage(before);
    const seconds = (performance.now() - started) / 1000;
    await model.close();

    const errors = layers.map((layer) => {
      const expected = golden.f32(`samples.${layer}`).data;
      return [layer, relativeError(samplesOf(dump.get(layer)!.data, expected.length), expected)];
    }) as [string, number][];
    const { data } = dump.get('result')!;
    const expected = golden.f32('positive.embeds').data;
    const error = relativeError(data, expected);
    const maxAbs = expected.reduce((max, v, i) => Math.max(max, Math.abs(v - data[i]!)), 0);
    const row = {
      part: 'text_encoder',
      precision,
      error,
      maxAbs,
      adapter,
      seconds,
      reference: tolerances[precision === 'f16' ? 'f16sim' : 'f32']['clip.positive']!.rms_over_std,
      worstBlock: errors.toSorted(([, a], [, b]) => b - a)[0],
      blocks: errors,
      cpuSeconds: (user + system) / 1e6,
      gpuBytes: context.memory.peakBytes,
    };
    appendFileSync(environment('INVSR_FULL_ROWS'), `${JSON.stringify(row)}\n`);
    const wrong = errors.filter(([, e]) => !(e <= GATE[precision]));
    expect(wrong.map(([layer, e]) => `${layer}: ${e.toExponential(2)}`)).toEqual([]);
    expect(error).toBeLessThan(GATE[precision]);
    context.weights.dispose();
  });
});
