/** What a page loads at once (docs/decisions/0010) is all that invsr-nano's plans on a GPU call for. */
import { expect, test } from 'vitest';
import { dispatchesOf } from '../../src/engine/plan.ts';
import { atOnce } from '../../src/engine/slices.ts';
import { needsBands } from '../../src/graph/limits.ts';
import { lower } from '../../src/graph/lower.ts';
import { rewriting } from '../../src/graph/passes.ts';
import { openModel } from '../../src/invsr/model.ts';
import { stageGraph, STAGES } from '../../src/invsr/tile-graph.ts';
import * as rareOps from '../../src/kernels/rare-ops.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';

const options = { batch: 1, tile: 128, timesteps: [200], cfg: 1, noise: 'generated' } as const;
const limits = { compact: false, maxBindingBytes: 2 ** 27, keep: () => false };

test.each([
  ['f16', { family: 'alu', shaderF16: true, subgroupSize: 32 }],
  ['f32', { family: 'alu', shaderF16: false, subgroupSize: 0 }],
] as const)('in %s', async (precision, target) => {
  const model = await openModel(nodeFolder('weights/invsr-nano'));
  await model.close();
  for (const stage of STAGES) {
    const graph = stageGraph(stage, model, { ...options, precision });
    expect(needsBands(graph, limits)).toBe(false);
    const ops = atOnce(rewriting(graph, target, limits)).nodes.map(({ op }) => op);
    expect(ops.filter((op) => op in rareOps)).toEqual([]);
    const plan = lower(graph, target, limits);
    const designs = dispatchesOf(plan).map(({ kernel }) => kernel.choice?.design);
    expect(designs).not.toContain('tiles');
  }
});
