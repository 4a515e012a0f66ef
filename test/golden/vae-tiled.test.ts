/** The VAE in tiles against diffusers': 128x104 pixels in tiles of 64, the last ones 8 pixels wide. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import type { Dump } from '../../src/invsr/parity.ts';
import { vaeDecodeTiled, vaeEncodeTiled } from '../../src/invsr/vae-tiling.ts';
import { type Golden, openGolden } from '../harness/goldens.ts';
import { errorAgainst, GATE, openTestContext, runGraph, RUNS } from '../harness/networks.ts';
import { record } from '../harness/numerics.ts';
import { anyPrompt, tinyModel } from '../harness/synthetic.ts';

const tiling = { image: 64, latent: 8, overlap: 0.25 };

describe.each(RUNS)('$adapter $precision', ({ adapter, precision }) => {
  let context: EngineContext;
  let close: () => void;
  let model: Model;
  let golden: Golden;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
    model = await openModel(tinyModel(), anyPrompt);
    golden = await openGolden('networks/vae_tiled');
  });
  afterAll(() => close());

  function check(dump: Dump, name: string, goldenName: string): void {
    const error = errorAgainst(dump, name, golden, goldenName);
    record({ what: `VAE in tiles, ${goldenName}`, adapter, precision, error });
    expect(error, goldenName).toBeLessThan(GATE[precision]);
  }

  test('encoder: blended moments', async () => {
    const g = new GraphBuilder({ precision });
    const x = g.external('x', { dtype: 'f32', shape: [1, 128, 104, 4] });
    const weights = g.checkpoint('vae', model.shapes.vae);
    const moments = vaeEncodeTiled(g, x, weights, { ...model.configs.vae, tiling });
    expect(moments.shape).toEqual([1, 16, 13, 8]);
    g.name('tiled_moments', moments);
    const dump = await runGraph(context, g.build(), model, { x: golden.f32('x') });
    check(dump, 'tiled_mean', 'tiled.mean');
    check(dump, 'tiled_logvar', 'tiled.logvar');
  });

  test('decoder: blended image', async () => {
    const g = new GraphBuilder({ precision });
    const z = g.external('z', { dtype: 'f32', shape: [1, 16, 13, 4] });
    const weights = g.checkpoint('vae', model.shapes.vae);
    const image = vaeDecodeTiled(g, z, weights, { ...model.configs.vae, tiling });
    expect(image.shape).toEqual([1, 128, 104, 4]);
    g.name('image', image, 3);
    const dump = await runGraph(context, g.build(), model, { z: golden.f32('z') });
    check(dump, 'image', 'tiled.image');
  });
});
