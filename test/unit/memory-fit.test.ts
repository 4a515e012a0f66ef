/** What is given up for how little memory, and what the full-size model takes. Plans only: no device. */
import { describe, expect, test } from 'vitest';
import { type Capabilities, targetOf } from '../../src/engine/device.ts';
import type { EngineContext } from '../../src/engine/context.ts';
import { stagingBytesOf } from '../../src/engine/uploader.ts';
import { BATCH_BYTES } from '../../src/graph/load-plan.ts';
import { fitMemory } from '../../src/invsr/memory-fit.ts';
import { MemoryError } from '../../src/invsr/errors.ts';
import type { MemoryPlan } from '../../src/invsr/memory-plan.ts';
import type { Model } from '../../src/invsr/model.ts';
import { TilePlans } from '../../src/invsr/tile-plans.ts';
import { FULL_SIZE } from '../../src/invsr/full-size.ts';
import { withDefaults } from '../../src/invsr/upscale-settings.ts';

const capabilities = {
  family: 'alu',
  shaderF16: true,
  features: [],
  subgroupMinSize: 4,
  subgroupMaxSize: 128,
  limits: { maxStorageBufferBindingSize: 2 ** 27, minUniformBufferOffsetAlignment: 256 },
} as unknown as Capabilities;
const context = { capabilities, target: targetOf(capabilities) } as EngineContext;
const model = FULL_SIZE as Model;

const tile = { precision: 'f16', tile: 128, timesteps: [200], cfg: 1 } as const;
const memoryOf = (lowMemory: boolean, batch = 1, tiles = 1): Promise<MemoryPlan> =>
  new TilePlans(context, model, { ...tile, lowMemory }).memory(batch, tiles);

describe('one tile of 128 at full size, in f16', () => {
  test('resident, with activations as a whole: what a GPU is given by default', async () => {
    const options = withDefaults({ ...tile }, context);
    expect(options.compact).toBe(false);
    const whole = await new TilePlans(context, model, options).memory(1, 1);
    expect(whole.peakBytes).toBeLessThan(2.5e9);
    expect(whole.slotBytes).toBeGreaterThan(1.5 * (await memoryOf(false)).slotBytes);
    expect(whole.largestBindingBytes).toBe(2 ** 27);
  });

  test('resident, in bands: at most 2.3 GB', async () => {
    const { peakBytes, weightBytes, slotBytes, betweenBytes, stagingBytes } = await memoryOf(false);
    expect(peakBytes).toBeLessThan(2.3e9);
    expect(peakBytes).toBe(weightBytes + slotBytes + betweenBytes + stagingBytes);
    // A patch of 512x512 on its way down: uploads are over before activations come.
    expect(stagingBytes).toBe(512 * 512 * 4 * 4);
    // 0.95 billion parameters of the UNet, the VAE and the noise predictor, two bytes each.
    expect(weightBytes).toBeGreaterThan(1.9e9);
  });

  test('low memory: at most 1.9 GB, of which the UNet is the most', async () => {
    const { peakBytes, weightBytes, slotBytes, stagingBytes, stages } = await memoryOf(true);
    expect(peakBytes).toBeLessThan(1.9e9);
    const denoise = stages.find(({ stage }) => stage === 'denoise')!;
    expect(weightBytes).toBe(denoise.weightBytes);
    // Its weights' arrival takes more than its activations, which come later.
    expect(slotBytes + stagingBytes).toBe(stagingBytesOf(BATCH_BYTES));
    expect(slotBytes).toBe(denoise.slotBytes);
  });

  test('more jobs at once: what they hand over is counted, once per job', async () => {
    const plans = await Promise.all([1, 2, 3].map((tiles) => memoryOf(true, 1, tiles)));
    const [one, two, three] = plans.map(({ betweenBytes }) => betweenBytes);
    expect(two! - one!).toBeGreaterThan(0);
    expect(three! - two!).toBe(two! - one!);
  });
});

test('calls that plan the same at the same time end with the same plans', async () => {
  const plans = new TilePlans(context, model, { ...tile, lowMemory: false });
  const kind = { noise: 'generated' } as const;
  const calls = [plans.ahead(1, kind), plans.ahead(1, kind)];
  const all = () => plans.all(1, kind).map(({ plan }) => plan);
  await Promise.race(calls);
  const first = all();
  await Promise.all(calls);
  for (const [i, plan] of all().entries()) expect(plan).toBe(first[i]);
});

describe('a limit', () => {
  const asked = { tile: 48, tileBatch: 4 };

  test('none: as asked', async () => {
    const all = await fitMemory(context, model, asked);
    expect(all.changes).toEqual([]);
    expect(all.options).toMatchObject({ tile: 48, tileBatch: 4, lowMemory: false, compact: false });
  });

  test('gives up as little as it takes, in order', async () => {
    const steps: string[][] = [];
    let limit = Infinity;
    for (;;) {
      try {
        const { plan, changes, options } = await fitMemory(context, model, asked, limit);
        expect(plan.peakBytes).toBeLessThanOrEqual(limit);
        expect(plan).toMatchObject({ tile: options.tile, lowMemory: options.lowMemory });
        steps.push([...changes]);
        limit = plan.peakBytes - 1;
      } catch (error) {
        expect(error).toBeInstanceOf(MemoryError);
        expect(String(error)).toMatch(/needs at least 1\.\d\d GB .* --memory allows 1\.\d\d GB/);
        break;
      }
    }
    const single = 'tiles one by one instead of 4';
    const low = 'one network at a time';
    const bands = 'activations in bands';
    expect(steps.slice(0, 4)).toEqual([[], [bands], [bands, single], [bands, single, low]]);
    for (const [i, step] of steps.slice(4).entries()) {
      const smaller: unknown = expect.stringMatching(/^tiles of 32 instead/);
      expect(step).toEqual([bands, single, low, smaller]);
      expect(step).not.toEqual(steps[i + 3]);
    }
    expect(steps.length).toBeGreaterThan(4);
  });
});
