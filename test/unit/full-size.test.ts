/** Memory and bindings of the full-size networks' plans, from shapes alone. */
import { describe, expect, test } from 'vitest';
import { slotRequests } from '../../src/engine/binder.ts';
import { pooledBytes } from '../../src/invsr/plan-bytes.ts';
import {
  dispatchesOf,
  type Location,
  type Plan,
  slotBytes,
  totalFlops,
} from '../../src/engine/plan.ts';
import { fuse } from '../../src/graph/fuse.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { lower } from '../../src/graph/lower.ts';
import { kernelOf } from '../../src/graph/ops.ts';
import { STAGES } from '../../src/invsr/tile-graph.ts';
import { fullSizeGraph } from '../../src/invsr/full-size.ts';

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;

/** WebGPU's default limits, which every device has. */
const MAX_BINDING_BYTES = 2 ** 27;
const OFFSET_ALIGNMENT = 256;

/** Bytes of slots in units of 10^6, as measured, rounded up to the next 5. */
const CASES = [
  {
    tile: 128,
    precision: 'f16',
    most: { noise_predictor: 55, encode: 175, denoise: 65, decode: 195 },
  },
  {
    tile: 128,
    precision: 'f32',
    most: { noise_predictor: 85, encode: 315, denoise: 90, decode: 355 },
  },
  {
    tile: 256,
    precision: 'f16',
    most: { noise_predictor: 170, encode: 600, denoise: 175, decode: 680 },
  },
] as const;

const locationsOf = (plan: Plan): Location[] =>
  dispatchesOf(plan).flatMap(({ inputs, output, moments }) => [
    ...Object.values(inputs),
    output,
    ...(moments ? [moments] : []),
  ]);

/** Without bands, hence without rows that are computed twice. */
const flopsOf = (graph: Graph): number =>
  fuse(graph)
    .nodes.map((node) => kernelOf(node.op, { ...node.inputs }, node.constants, target))
    .reduce((sum, { cost }) => sum + cost.flops, 0);

describe.each(CASES)('tiles of $tile in $precision', ({ tile, precision, most }) => {
  test.each(STAGES)('%s', (stage) => {
    const graph = fullSizeGraph(stage, { tile, precision });
    const plan = lower(graph, target);
    expect(slotBytes(plan)).toBeLessThan(most[stage] * 1e6);
    expect(totalFlops(dispatchesOf(plan)) / flopsOf(graph)).toBeLessThan(1.004);
    for (const at of locationsOf(plan)) {
      if (at.kind === 'weight') continue;
      const { offset = 0, bytes = 0 } = at;
      expect(offset % OFFSET_ALIGNMENT).toBe(0);
      expect(bytes).toBeLessThanOrEqual(MAX_BINDING_BYTES);
      if (at.kind === 'slot') {
        expect(offset + bytes).toBeLessThanOrEqual(plan.slots[at.index]!.bytes);
      }
    }
  });
});

test('the networks share slots', () => {
  const plans = STAGES.map((stage) =>
    lower(fullSizeGraph(stage, { tile: 128, precision: 'f16' }), target),
  ).toSorted((a, b) => slotBytes(b) - slotBytes(a));
  // All of InvSR-1 in 2.3 GB: 1.967 GB of weights, 0.060 GB of phase weights, and this.
  expect(pooledBytes(plans.map(slotRequests))).toBeLessThan(220e6);
});
