/** One network at a time on the device: the same picture in less memory, and nothing left behind. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createContext } from '../../src/engine/context.ts';
import { patchSource } from '../../src/invsr/patch-source.ts';
import { openModel } from '../../src/invsr/model.ts';
import { TileNetworks } from '../../src/invsr/tile-networks.ts';
import type { TileBatch } from '../../src/invsr/tile-source.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { roundF16 } from '../harness/half.ts';
import { uniform } from '../harness/random.ts';

const TILE = 16;

let device: GPUDevice;
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Batches of 2, 2 and 1 tiles of noise at different places. */
async function* batches(): AsyncGenerator<TileBatch> {
  const next = uniform(5);
  for (const [call, count] of [2, 2, 1].entries()) {
    const tiles = roundF16(Float32Array.from({ length: count * TILE * TILE * 4 }, next));
    const latentOrigins = Array.from({ length: count }, (_, i) => ({ y: 8 * call, x: 8 * i }));
    yield {
      tiles: Float32Array.from(tiles, (v, i) => (i % 4 === 3 ? 0 : v)),
      count,
      latentOrigins,
    };
  }
}

async function patchesOf(lowMemory: boolean) {
  const context = createContext(device);
  closers.push(() => context.dispose());
  const model = await openModel(nodeFolder('weights/invsr-nano'));
  const options = { precision: 'f32', tile: TILE, timesteps: [200], cfg: 1, lowMemory } as const;
  const networks = new TileNetworks(context, model, options);
  const source = patchSource(networks);
  const { weightBytes, slotBytes, betweenBytes } = await networks.plans.memory(2, 5);
  const planned = weightBytes + slotBytes + betweenBytes;
  const stages = new Set<string>();
  const done: number[] = [];
  const patches: Float32Array[] = [];
  const onProgress = (p: { stage: string; done: number }): void => {
    stages.add(p.stage);
    if (p.stage === 'tiles') done.push(p.done);
  };
  for await (const patch of source(batches(), { count: 5, onProgress })) patches.push(patch);
  const { peakBytes, bytes } = context.memory;
  const weights = context.weights.totalBytes;
  networks.dispose();
  await model.close();
  return {
    patches,
    planned,
    peakBytes,
    bytes,
    weights,
    stages,
    done,
    context,
  };
}

describe.each(adapterNames)('%s', (adapter) => {
  beforeAll(async () => {
    ({ device } = await openTestDevice(adapter));
  });
  afterAll(() => device.destroy());

  test('low memory gives the same patches with one network at a time', async () => {
    const resident = await patchesOf(false);
    const low = await patchesOf(true);
    expect(resident.patches.map(({ length }) => length)).toEqual(
      [2, 2, 1].map((count) => count * (4 * TILE) ** 2 * 4),
    );
    for (const [i, patch] of resident.patches.entries()) {
      expect(Math.max(...patch.subarray(0, 400))).toBeGreaterThan(0);
      expect(low.patches[i]).toEqual(patch);
    }
    // Without staging, which the device makes. In low memory the plan may be too cautious.
    expect(resident.peakBytes).toBe(resident.planned);
    expect(low.peakBytes).toBeLessThanOrEqual(low.planned);
    expect(low.planned).toBeLessThan(1.02 * low.peakBytes);
    // All weights at once against those of the largest network.
    expect(low.peakBytes).toBeLessThan(0.8 * resident.peakBytes);
    expect(low.weights).toBe(0);
    expect(low.context.memory.bytes).toBe(0);
    expect(resident.weights).toBeGreaterThan(0);
    expect(resident.context.memory.bytes).toBe(resident.weights);
    for (const { done } of [resident, low]) {
      expect(done).toEqual(done.toSorted((a, b) => a - b));
      expect(done.at(-1)).toBeCloseTo(5, 6);
    }
    for (const { stages } of [resident, low]) {
      expect([...stages].toSorted()).toEqual(['compile', 'load', 'tiles']);
    }
  });

  test('low memory leaves no weights behind where the caller stops early', async () => {
    const context = createContext(device);
    closers.push(() => context.dispose());
    const model = await openModel(nodeFolder('weights/invsr-nano'));
    const options = { precision: 'f32', tile: TILE, timesteps: [200], cfg: 1 } as const;
    const networks = new TileNetworks(context, model, { ...options, lowMemory: true });
    for await (const patch of patchSource(networks)(batches(), { count: 5 })) {
      expect(patch.length).toBe(2 * (4 * TILE) ** 2 * 4);
      expect(context.weights.totalBytes).toBeGreaterThan(0);
      break;
    }
    expect(context.memory.bytes).toBe(0);
    await model.close();
  });
});
