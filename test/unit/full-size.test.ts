/** Memory and bindings of the full-size networks' plans, from shapes alone. */
import { describe, expect, test } from 'vitest';
import { type Location, type Plan, slotBytes } from '../../src/engine/plan.ts';
import { lower } from '../../src/graph/lower.ts';
import { fullSizeGraph, NETWORKS } from '../harness/full-size.ts';

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;

/** WebGPU's default limits, which every device has. */
const MAX_BINDING_BYTES = 2 ** 27;
const OFFSET_ALIGNMENT = 256;

/** Bytes of slots in units of 10^6, as measured, rounded up to the next 5. */
const CASES = [
  {
    tile: 128,
    precision: 'f16',
    most: { noisePredictor: 45, vaeEncode: 175, unet: 60, vaeDecode: 190 },
  },
  {
    tile: 128,
    precision: 'f32',
    most: { noisePredictor: 85, vaeEncode: 315, unet: 80, vaeDecode: 350 },
  },
  {
    tile: 256,
    precision: 'f16',
    most: { noisePredictor: 170, vaeEncode: 600, unet: 160, vaeDecode: 660 },
  },
] as const;

const locationsOf = ({ prepare, dispatches }: Plan): Location[] =>
  [...prepare, ...dispatches].flatMap(({ inputs, output }) => [...Object.values(inputs), output]);

describe.each(CASES)('tiles of $tile in $precision', ({ tile, precision, most }) => {
  test.each(NETWORKS)('%s', (network) => {
    const plan = lower(fullSizeGraph(network, { tile, precision }), target);
    expect(slotBytes(plan)).toBeLessThan(most[network] * 1e6);
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

test('tiles one after another find room in the slots of the largest network', () => {
  // As SlotPool.lease takes them: plans and slots largest first, each in the smallest buffer that holds it.
  const plans = NETWORKS.map((network) =>
    lower(fullSizeGraph(network, { tile: 128, precision: 'f16' }), target),
  );
  const pool: number[] = [];
  for (const plan of plans.toSorted((a, b) => slotBytes(b) - slotBytes(a))) {
    const free = pool.toSorted((a, b) => a - b);
    for (const { bytes } of plan.slots.toSorted((a, b) => b.bytes - a.bytes)) {
      const index = free.findIndex((size) => size >= bytes);
      if (index === -1) pool.push(bytes);
      else free.splice(index, 1);
    }
  }
  // All of InvSR-1 in 2.3 GB: 1.967 GB of weights, 0.060 GB of phase weights, and this.
  expect(pool.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(215e6);
});
