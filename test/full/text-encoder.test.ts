/** The text encoder at full size, as full.test.ts has the other networks; run by scripts/full.mjs. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Name } from '../../src/graph/graph.ts';
import { readTokenRows, textEncoder } from '../../src/invsr/text-encoder.ts';
import { openTextModel } from '../../src/invsr/text-model.ts';
import { openGolden, samplesOf } from '../harness/goldens.ts';
import { outputBelow } from '../harness/module-taps.ts';
import { GATE, relativeError, runGraph } from '../harness/networks.ts';
import { fullSize, modelFolder, referenceOf, startClock } from './setup.ts';

describe('full size', () => {
  const full = fullSize();

  // The program uses f32 only (prompt.ts); f16 shows that the encoder would bear it.
  test.each(['f16', 'f32'] as const)('%s text_encoder', { timeout: 600_000 }, async (precision) => {
    const golden = await openGolden('full/clip');
    const model = await openTextModel(modelFolder());
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

    const clock = startClock();
    const dump = await runGraph(full.context, { ...graph, names }, model, { tokens });
    const spent = clock();
    await model.close();

    const errors = layers.map((layer) => {
      const expected = golden.f32(`samples.${layer}`).data;
      return [layer, relativeError(samplesOf(dump.get(layer)!.data, expected.length), expected)];
    }) as [string, number][];
    const { data } = dump.get('result')!;
    const expected = golden.f32('positive.embeds').data;
    const error = relativeError(data, expected);
    const maxAbs = expected.reduce((max, v, i) => Math.max(max, Math.abs(v - data[i]!)), 0);
    const worst = errors.toSorted(([, a], [, b]) => b - a)[0];
    full.record({
      part: 'text_encoder',
      precision,
      error,
      maxAbs,
      reference: referenceOf(precision, ['clip.positive']),
      ...(worst && { worstBlock: worst }),
      blocks: errors,
      ...spent,
      gpuBytes: full.context.memory.peakBytes,
    });
    const wrong = errors.filter(([, e]) => !(e <= GATE[precision]));
    expect(wrong.map(([layer, e]) => `${layer}: ${e.toExponential(2)}`)).toEqual([]);
    expect(error).toBeLessThan(GATE[precision]);
    full.context.weights.dispose();
  });
});
