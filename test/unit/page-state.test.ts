/** The page's pure parts: progress, regions, options, looks. */
import { describe, expect, test } from 'vitest';
import { sameLook } from '../../demo/state/look.ts';
import {
  DEFAULTS,
  MAX_SEED,
  modelOptions,
  networkOptions,
  newSeed,
  readSeed,
  smallerTile,
  startOf,
  upscaleOptions,
} from '../../demo/state/options.ts';
import {
  advance,
  announcementOf,
  beginPace,
  bytesInWords,
  durationInWords,
  remainingMs,
} from '../../demo/state/progress.ts';
import {
  areaOf,
  cellsOf,
  grow,
  meet,
  missing,
  nearestFirst,
  subtract,
} from '../../demo/state/regions.ts';

describe('progress', () => {
  test('the time left follows the tiles, not the preparation before them', () => {
    let pace = beginPace(4, 0);
    expect(remainingMs(pace)).toBeNull();
    pace = advance(pace, { done: 1, total: 4 }, 10_000); // ten seconds of compilation
    expect(remainingMs(pace)).toBeNull();
    pace = advance(pace, { done: 2, total: 4 }, 12_000);
    expect(remainingMs(pace)).toBe(4000);
    pace = advance(pace, { done: 4, total: 4 }, 16_000);
    expect(remainingMs(pace)).toBe(0);
  });

  test.each([
    [400, 'a moment'],
    [4400, '4 s'],
    [31_000, '35 s'],
    [61_000, '1 min'],
    [3_900_000, '1 h 5 min'],
  ])('%i ms: %s', (ms, words) => expect(durationInWords(ms)).toBe(words));

  test('screen readers hear of quarters, once each, and not of the end', () => {
    const steps = Array.from({ length: 101 }, (_, i) => i / 100);
    const heard = steps.flatMap((now, i) => announcementOf(steps[i - 1] ?? 0, now) ?? []);
    expect(heard).toEqual(['25 percent done', '50 percent done', '75 percent done']);
  });

  test('bytes as device makers count', () => {
    expect([999, 3_300_000, 2_580_000_000].map(bytesInWords)).toEqual(['1 kB', '3 MB', '2.6 GB']);
  });
});

describe('regions', () => {
  const a = { x: 0, y: 0, width: 10, height: 10 };

  test('what is left of a rectangle covers the rest exactly', () => {
    for (const b of [
      { x: 3, y: 2, width: 4, height: 5 },
      { x: -5, y: -5, width: 8, height: 30 },
      { x: 9, y: 9, width: 1, height: 1 },
      { x: 20, y: 0, width: 5, height: 5 },
    ]) {
      const inside = meet(a, b);
      const left = subtract(a, b);
      expect(left.reduce((sum, part) => sum + areaOf(part), 0)).toBe(
        100 - (inside ? areaOf(inside) : 0),
      );
      for (const part of left) expect(subtract(part, b)).toEqual([part]);
    }
  });

  test('a view that moves asks for the new part only', () => {
    expect(missing(a, [])).toEqual(a);
    expect(missing(a, [{ x: 0, y: 0, width: 6, height: 10 }])).toEqual({ ...a, x: 6, width: 4 });
    expect(
      missing(a, [
        { x: 0, y: 0, width: 6, height: 10 },
        { x: 6, y: -3, width: 9, height: 30 },
      ]),
    ).toBeNull();
  });

  test('what is shared, and a margin as far as the picture goes', () => {
    expect(meet(a, { x: 10, y: 0, width: 3, height: 3 })).toBeNull();
    expect(meet(a, { x: 8, y: -2, width: 9, height: 4 })).toEqual({
      x: 8,
      y: 0,
      width: 2,
      height: 2,
    });
    expect(grow({ x: 1, y: 5, width: 3, height: 2 }, 2, a)).toEqual({
      x: 0,
      y: 3,
      width: 6,
      height: 6,
    });
  });

  test('cells tile a region, and those near the middle come first', () => {
    const region = { x: 3, y: 1, width: 7, height: 6 };
    const cells = cellsOf(region, 3);
    expect(cells).toHaveLength(6);
    expect(cells.reduce((sum, cell) => sum + areaOf(cell), 0)).toBe(42);
    expect(missing(region, cells)).toBeNull();
    const looked = { x: 6, y: 4, width: 1, height: 1 };
    expect(nearestFirst(cells, looked)[0]).toEqual({ x: 6, y: 4, width: 3, height: 3 });
  });
});

describe('options', () => {
  test('the dial follows the steps until it is turned', () => {
    expect(startOf({ steps: 1, startTimestep: null })).toBe(200);
    expect(startOf({ steps: 5, startTimestep: null })).toBe(250);
    expect(startOf({ steps: 5, startTimestep: 120 })).toBe(120);
  });

  test('the engine gets what was chosen; what was not is its own to choose', () => {
    const networks = { steps: 3, startTimestep: 120, tile: 96, overlap: 0.25 } as const;
    const look = { ...networks, seed: 7, colorFix: 'ycbcr' } as const;
    const chosen = { ...look, precision: 'f32', lowMemory: true } as const;
    expect(networkOptions(chosen)).toEqual(networks);
    expect(upscaleOptions(chosen)).toEqual(look);
    expect(modelOptions(chosen)).toEqual({ precision: 'f32', lowMemory: true });
    expect(networkOptions({ ...chosen, startTimestep: null })).not.toHaveProperty('startTimestep');
    expect(modelOptions({ ...chosen, precision: 'auto' })).toEqual({ lowMemory: true });
  });

  test('seeds are whole numbers of 32 bits', () => {
    expect([' 7 ', '0', String(MAX_SEED)].map(readSeed)).toEqual([7, 0, MAX_SEED]);
    expect(['', 'x', '-1', '1.5', String(MAX_SEED + 1)].map(readSeed)).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
    expect(newSeed(() => 0.999_999_999_9)).toBe(MAX_SEED);
  });

  test('out of memory, tiles get smaller until there is none', () => {
    expect([256, 128, 100, 32].map(smallerTile)).toEqual([192, 96, 96, undefined]);
  });
});

test('parts of other models or options do not belong side by side; how they were computed does not count', () => {
  const look = { model: 'nano', options: DEFAULTS };
  expect(sameLook(look, { model: 'nano', options: { ...DEFAULTS, lowMemory: true } })).toBe(true);
  expect(sameLook(look, { ...look, model: 'own 1' })).toBe(false);
  expect(sameLook(look, { model: 'nano', options: { ...DEFAULTS, seed: 7 } })).toBe(false);
});
