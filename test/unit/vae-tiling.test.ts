/** Where the VAE works in tiles, and that the official sizes make a plan. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { lower } from '../../src/graph/lower.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { type Stage, stageGraph, tiledVae } from '../../src/invsr/tile-graph.ts';
import { OFFICIAL_VAE_TILING } from '../../src/invsr/upscale-settings.ts';
import { vaeEncodeTiled } from '../../src/invsr/vae-tiling.ts';
import { anyPrompt, tinyModel } from '../harness/synthetic.ts';

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;

let model: Model;
beforeAll(async () => {
  model = await openModel(tinyModel(), anyPrompt);
  await tiledVae.load();
});
afterAll(() => model.close());

const graphOf = (stage: Stage, tile: number, vaeTiling = OFFICIAL_VAE_TILING): Graph =>
  stageGraph(stage, model, {
    precision: 'f16',
    batch: 2,
    tile,
    timesteps: [200],
    cfg: 1,
    noise: 'generated',
    vaeTiling,
  });

const pathsOf = ({ nodes }: Graph, op: string): string[] =>
  nodes.filter((node) => node.op === op).map(({ path }) => path);

describe('a tile of', () => {
  test.each(['encode', 'decode'] as const)('256 LR pixels is one image of 1024: %s', (stage) => {
    expect(pathsOf(graphOf(stage, 256), 'crop')).toEqual([]);
    expect(pathsOf(graphOf(stage, 256), 'blendEdges')).toEqual([]);
  });

  test.each(['encode', 'decode'] as const)('272 LR pixels is cut in four: %s', (stage) => {
    expect(pathsOf(graphOf(stage, 272), 'blendEdges')).toEqual(
      ['0.1', '1.0', '1.1'].map((at) => `vae.${stage}r.tiles.${at}.blend`),
    );
  });

  // A strip of 2048x1536 pixels has more vectors than one grid dimension has workgroups.
  test('512 LR pixels makes a plan', () => {
    const plan = lower(graphOf('decode', 512), target, { keep: () => false });
    const concats = plan.dispatches.filter(({ path }) => path === 'vae.decoder.tiles');
    expect(concats.at(-1)?.kernel.output.type.shape.at(-1)).toBe(2048 * 2048 * 4);
  });
});

test.each([
  ['gaps', { image: 80, latent: 10, overlap: 0.25 }],
  ['no progress', { image: 64, latent: 8, overlap: 1 }],
])('refuses tiles with %s', (_, tiling) => {
  const g = new GraphBuilder({ precision: 'f16' });
  const x = g.external('x', { dtype: 'f16', shape: [1, 128, 128, 4] });
  const weights = g.checkpoint('vae', model.shapes.vae);
  expect(() => vaeEncodeTiled(g, x, weights, { ...model.configs.vae, tiling })).toThrow(
    /^VAE tiles of \d+ → \d+ with overlap [\d.]+ start every/,
  );
});
