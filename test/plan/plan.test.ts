/**
 * Plans as text. A refactor changes nothing here; an optimisation shows what it changed. Accept a
 * change with `npx vitest run --project plan -u` and explain it in the commit.
 */
import { expect, test } from 'vitest';
import { openModel } from '../../src/invsr/model.ts';
import { printPlan } from '../../src/graph/print.ts';
import { lower } from '../../src/graph/lower.ts';
import { finishGraph } from '../../src/invsr/image-graphs.ts';
import { planPadding } from '../../src/invsr/padding.ts';
import { stageGraph, STAGES } from '../../src/invsr/tile-graph.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';

const options = { batch: 1, tile: 128, timesteps: [200], cfg: 1, noise: 'generated' } as const;

test.each([
  ['nano-128-cpu-f32', { family: 'cpu', shaderF16: false, subgroupSize: 4 }, 'f32'],
  ['nano-128-cpu-f16', { family: 'cpu', shaderF16: true, subgroupSize: 8 }, 'f16'],
  ['nano-128-alu-f16', { family: 'alu', shaderF16: true, subgroupSize: 32 }, 'f16'],
] as const)('%s', async (name, target, precision) => {
  const model = await openModel(nodeFolder('weights/invsr-nano'));
  await model.close();
  const printed = STAGES.map((stage) => {
    const graph = stageGraph(stage, model, { ...options, precision });
    return `${stage}\n\n${printPlan(lower(graph, target, { keep: () => false }))}`;
  });
  await expect(printed.join('\n')).toMatchFileSnapshot(`./${name}.plan.txt`);
});

test('finish-100x80-wavelet', async () => {
  const size = { height: 80, width: 100 };
  const padding = planPadding(size.height, size.width, 128);
  const graph = finishGraph(size, { padding, colorFix: 'wavelet', official: false });
  const plan = lower(
    graph,
    { family: 'cpu', shaderF16: true, subgroupSize: 8 },
    { keep: () => false },
  );
  await expect(printPlan(plan)).toMatchFileSnapshot('./finish-100x80-wavelet.plan.txt');
});
