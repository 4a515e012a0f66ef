/**
 * Whole networks on a device that binds little at a time give the bytes they give on one that binds
 * everything: seams cannot exist.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { lower } from '../../src/graph/lower.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { vaeDecode, vaeEncode } from '../../src/invsr/vae.ts';
import { openTestContext, runGraph, RUNS } from '../harness/networks.ts';
import { normal } from '../harness/random.ts';
import { anyPrompt, tinyModel } from '../harness/synthetic.ts';

/** The largest weight still fits: sixteen 64x64 matrices of f32. */
const LIMIT = 16 * 64 * 64 * 4;

const [HEIGHT, WIDTH] = [20, 16]; // of the latent

describe.each(RUNS)('$adapter $precision', ({ adapter, precision }) => {
  let context: EngineContext;
  let close: () => void;
  let model: Model;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
    model = await openModel(tinyModel(), anyPrompt);
  });
  afterAll(() => close());

  test.each([
    ['decode', vaeDecode, HEIGHT, WIDTH],
    ['encode', vaeEncode, 8 * HEIGHT, 8 * WIDTH],
  ] as const)('the VAE, %s', async (_, network, height, width) => {
    const make = (): Graph => {
      const g = new GraphBuilder({ precision });
      const x = g.external('x', { dtype: 'f32', shape: [1, height, width, 4] });
      const w = g.checkpoint('vae', model.shapes.vae);
      g.name('result', network(g, x, w, model.configs.vae));
      return g.build();
    };
    const { limits } = context.capabilities;
    const small: EngineContext = {
      ...context,
      capabilities: {
        ...context.capabilities,
        limits: { ...limits, maxStorageBufferBindingSize: LIMIT },
      },
    };
    const { target } = context;
    const count = (maxBindingBytes: number): number =>
      lower(make(), target, { maxBindingBytes }).dispatches.length;
    expect(count(LIMIT)).toBeGreaterThan(1.5 * count(limits.maxStorageBufferBindingSize));

    const x = { shape: [1, 4, height, width], data: normal(4 * height * width, 1) };
    const whole = await runGraph(context, make(), model, { x });
    const banded = await runGraph(small, make(), model, { x });
    expect(Buffer.compare(bytesOf(banded), bytesOf(whole))).toBe(0);
  });
});

function bytesOf(dump: ReadonlyMap<string, { readonly data: Float32Array }>): Uint8Array {
  const { data } = dump.get('result')!;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
