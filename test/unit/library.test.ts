/** What the library decides before it touches a device: windows around regions, parts that settle, timesteps. */
import { describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { ImageSizeError } from '../../src/invsr/errors.ts';
import { planFrame } from '../../src/invsr/gpu-frame.ts';
import { planOfficialFrame } from '../../src/invsr/official-frame.ts';
import { settledBy } from '../../src/library/growing.ts';
import { withDefaults } from '../../src/invsr/upscale-settings.ts';
import type { Settings } from '../../src/library/plan-call.ts';
import { TIMESTEPS, timestepsOf } from '../../src/invsr/scheduler.ts';
import type { Model } from '../../src/invsr/model.ts';
import { KeptNetworks } from '../../src/library/kept-networks.ts';
import { sourceOf } from '../../src/library/input.ts';
import { openModelOf } from '../../src/library/open-model.ts';
import { expectRegion, windowOf } from '../../src/library/window.ts';
import type { Folder } from '../../src/weights/folder.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { uniform } from '../harness/random.ts';

/** A whole number from `low` to `high`. */
const whole = (next: () => number, low: number, high: number): number =>
  low + Math.floor(next() * (high - low + 1));

test('500 windows: around the region, inside the image, at even places, of sides that need no padding', () => {
  const next = uniform(5);
  for (let i = 0; i < 500; i++) {
    const image = { width: whole(next, 1, 300), height: whole(next, 1, 300) };
    const x = whole(next, 0, image.width - 1);
    const y = whole(next, 0, image.height - 1);
    const width = whole(next, 1, image.width - x);
    const region = { x, y, width, height: whole(next, 1, image.height - y) };
    const tile = 16 * whole(next, 1, 12);
    const window = windowOf(region, image, tile);
    expectRegion(window, image);
    for (const [start, side, total] of [
      ['x', 'width', image.width],
      ['y', 'height', image.height],
    ] as const) {
      const [from, length] = [window[start], window[side]];
      const after = from + length - (region[start] + region[side]);
      const what = JSON.stringify({ image, region, tile, window });
      expect(from % 2, what).toBe(0);
      // 14: the place before is rounded to even ones, and an odd end costs one more.
      expect(region[start] - from, what).toBeGreaterThanOrEqual(Math.min(region[start], 14));
      expect(after, what).toBeGreaterThanOrEqual(
        Math.min(total - region[start] - region[side], 14),
      );
      expect(length, what).toBeGreaterThanOrEqual(Math.min(total, tile) - 1);
      if (from + length < total) expect(length % 16, what).toBe(0);
    }
  }
});

test('100 frames: the parts that tiles settle cover the result once, and no later tile touches them', () => {
  const next = uniform(6);
  for (let i = 0; i < 100; i++) {
    const lr = { width: whole(next, 2, 120), height: whole(next, 2, 120) };
    const options = { tile: 16 * whole(next, 1, 3), tileBatch: 1, overlap: next() / 2 };
    const plan = (next() < 0.5 ? planOfficialFrame : planFrame)(lr, options);
    const covered = new Uint8Array(16 * lr.width * lr.height);
    const at = (y: number, x: number): number => y * 4 * lr.width + x;
    for (const tile of plan.grid.tiles) {
      const touched = { y: 4 * (tile.y - plan.padding.top), x: 4 * (tile.x - plan.padding.left) };
      for (
        let y = Math.max(0, touched.y);
        y < Math.min(4 * lr.height, touched.y + 4 * plan.tile);
        y += 4
      ) {
        for (
          let x = Math.max(0, touched.x);
          x < Math.min(4 * lr.width, touched.x + 4 * plan.tile);
          x += 4
        ) {
          if (covered[at(y, x)])
            throw new Error(`${JSON.stringify({ lr, options, tile })} touches (${x},${y})`);
        }
      }
      const part = settledBy(plan, tile);
      for (let y = part.y; y < part.y + part.height; y++) {
        for (let x = part.x; x < part.x + part.width; x++) covered[at(y, x)]!++;
      }
    }
    expect(covered.every((times) => times === 1)).toBe(true);
  }
});

test('a picture of the page that no texture holds is refused before one is made', () => {
  const context = { device: { limits: { maxTextureDimension2D: 8 } } } as unknown as EngineContext;
  const image = { width: 9, height: 2, data: new Uint8Array(72) };
  const copy = (): unknown => sourceOf(context, image, { x: 0, y: 0, width: 9, height: 2 }, {});
  expect(copy).toThrow(ImageSizeError);
  expect(copy).toThrow(/^the input has 9x2 pixels, this device's textures at most 8 a side/);
});

test('an abort ends the wait for a model at once, and closes what is opened too late', async () => {
  const nano = nodeFolder('weights/invsr-nano');
  let goOn = (): void => {};
  const later = new Promise<void>((resolve) => (goOn = resolve));
  const sources = { open: 0, opened: 0 };
  const slow = (folder: Folder): Folder => ({
    ...folder,
    folder: (name) => slow(folder.folder(name)),
    readText: (file) => later.then(() => folder.readText(file)),
    async open(file) {
      const source = await folder.open(file);
      sources.open++;
      sources.opened++;
      return { ...source, close: async () => (await source.close(), void sources.open--) };
    },
  });
  const stop = new AbortController();
  const opening = openModelOf({ weights: slow(nano), signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(opening).rejects.toThrow('enough');
  expect(sources.opened).toBe(0);
  goOn();
  await expect.poll(() => sources).toEqual({ open: 0, opened: 4 });
});

test('networks of the latest options stay; those under way do whatever is planned meanwhile', () => {
  const capabilities = { shaderF16: true, family: 'alu' } as const;
  const context = { capabilities } as unknown as EngineContext;
  const model = { configs: {} } as unknown as Model;
  const from = (start: number): Settings => withDefaults({ timesteps: [start] }, context);
  const kept = new KeptNetworks(context, model);
  const first = kept.use(from(200));
  for (let start = 100; start <= 250; start++) kept.find(from(start));
  expect(kept.find(from(200))).toBe(first);
  const planned = kept.find(from(120));
  expect(kept.find(from(120))).toBe(planned);
  for (const start of [130, 140]) kept.find(from(start));
  expect(kept.find(from(120))).not.toBe(planned);
  // When others are used it goes.
  for (const start of [130, 140]) kept.use(from(start));
  expect(kept.find(from(200))).not.toBe(first);
});

describe('timesteps', () => {
  test.each([1, 2, 3, 4, 5])('%i: the official list, and scaled from the first', (steps) => {
    expect(timestepsOf(steps)).toEqual(TIMESTEPS[steps]);
    for (const start of [steps, steps + 1, 10, 100, 200, 249, 250, 999]) {
      const list = timestepsOf(steps, start);
      expect(list[0]).toBe(start);
      expect(list.length).toBe(steps);
      expect(
        list.every((t, i) => Number.isInteger(t) && t >= 1 && (i === 0 || t < list[i - 1]!)),
      ).toBe(true);
    }
  });

  test('keep their proportions', () => {
    expect(timestepsOf(5, 100)).toEqual([100, 80, 60, 40, 20]);
    expect(timestepsOf(4, 250)).toEqual([250, 188, 125, 63]);
    expect(timestepsOf(1, 137)).toEqual([137]);
  });

  test.each([
    [0, undefined, /steps is 0/],
    [6, undefined, /steps is 6/],
    [2, 1, /startTimestep is 1, expected a whole number from 2 on/],
    [1, 99.5, /startTimestep is 99.5/],
  ])('%o from %o', (steps, start, text) => {
    expect(() => timestepsOf(steps, start)).toThrow(text);
  });
});
