/** How the page cuts large results: sheets, runs, and what one file can hold. */
import { describe, expect, test } from 'vitest';
import { APRON, fitOf, MARGIN, roomOf, runsOf, sheetsOf } from '../../demo/state/cut.ts';
import { CANVAS_PIXELS, fewerPixels, fileAreas } from '../../demo/state/file-area.ts';
import { TILES } from '../../demo/state/options.ts';
import { areaOf, missing, type Size, whole } from '../../demo/state/regions.ts';
import { SURROUND } from '../../src/library/window.ts';

/** As WebGPU promises. */
const ROOM = roomOf({ maxTextureDimension2D: 8192, maxStorageBufferBindingSize: 2 ** 27 });

test('what is made at once, and what part by part', () => {
  // 16 bytes of each of the 16 W H result's pixels: 2^27 bytes are 2^19 pixels of the photo.
  expect(fitOf({ width: 1024, height: 512 }, ROOM)).toBe('whole');
  expect(fitOf({ width: 1024, height: 513 }, ROOM)).toBe('parts');
  expect(fitOf({ width: 2049, height: 10 }, ROOM)).toBe('parts');
  expect(fitOf({ width: 8192, height: 8192 }, ROOM)).toBe('parts');
  expect(fitOf({ width: 8193, height: 10 }, ROOM)).toBe('none');
  const large = roomOf({ maxTextureDimension2D: 32_768, maxStorageBufferBindingSize: 2 ** 34 });
  expect(fitOf({ width: 2048, height: 2048 }, large)).toBe('whole');
  expect(fitOf({ width: 2048, height: 2049 }, large)).toBe('parts');
});

test('sheets tile the photo, are no larger than they may be, and reach into their neighbours', () => {
  const size = { width: 2500, height: 1009 };
  const sheets = sheetsOf(size, ROOM);
  const shown = sheets.map(({ shows }) => shows);
  expect(shown.reduce((sum, region) => sum + areaOf(region), 0)).toBe(areaOf(size));
  expect(missing(whole(size), shown)).toBeNull();
  for (const { region, shows } of sheets) {
    expect(4 * Math.max(region.width, region.height)).toBeLessThanOrEqual(ROOM.sheetSide);
    expect(shows.x - region.x).toBe(shows.x === 0 ? 0 : APRON);
    const end = shows.x + shows.width;
    // The last sheet is a strip of less than an apron for none of these sizes.
    expect(region.x + region.width - end).toBe(Math.min(APRON, size.width - end));
  }
});

test('a photo that is made at once is one sheet and one run', () => {
  const all = { x: 0, y: 0, width: 700, height: 300 };
  expect(sheetsOf(all, ROOM)).toEqual([{ region: all, shows: all }]);
  expect(runsOf(all, all, ROOM, { tile: 128, overlap: 0.125 })).toEqual([all]);
});

test.each(TILES)(
  'runs with tiles of %i tile a region; with what is around them they fit',
  (tile) => {
    const size = { width: 3000, height: 2000 };
    const region = { x: 100, y: 40, width: 1900, height: 901 };
    for (const overlap of [0.0625, 0.125, 0.25, 0.5]) {
      const runs = runsOf(region, size, ROOM, { tile, overlap });
      expect(runs.reduce((sum, run) => sum + areaOf(run), 0)).toBe(areaOf(region));
      expect(missing(region, runs)).toBeNull();
      const side = Math.max(...runs.map(({ width }) => width)) + 2 * (MARGIN + SURROUND);
      expect(side).toBeLessThanOrEqual(ROOM.runSide);
      expect(side).toBeGreaterThan(ROOM.runSide / 2);
      expect(256 * side ** 2).toBeLessThanOrEqual(2 ** 27);
    }
  },
);

describe('a file', () => {
  const small = { width: 4095, height: 4096 };
  const large = { width: 8000, height: 6000 };
  const looked = { x: 100, y: 200, width: 4000, height: 3000 };
  const all = ({ width, height }: Size) => ({ region: { x: 0, y: 0, width, height }, isAll: true });

  test.each([
    [
      'png',
      large,
      looked,
      [
        { scale: 4, ...all(large) },
        { scale: 2, ...all(large) },
      ],
    ],
    [
      'jpeg',
      small,
      looked,
      [
        { scale: 4, ...all(small) },
        { scale: 2, ...all(small) },
      ],
    ],
    ['webp', small, null, [{ scale: 2, ...all(small) }]], // 16384 is one too many
    [
      'jpeg',
      large,
      looked,
      [
        { scale: 4, region: looked, isAll: false },
        { scale: 2, ...all(large) },
      ],
    ],
    ['jpeg', large, null, [{ scale: 2, ...all(large) }]],
    ['jpeg', large, whole(large), [{ scale: 2, ...all(large) }]],
    ['jpeg', { width: 16_000, height: 10 }, null, []],
  ] as const)('%s of %o, %o looked at', (format, size, seen, areas) => {
    expect(fileAreas(size, seen, format, CANVAS_PIXELS)).toEqual(areas);
  });

  test('of a browser that could not make it is a smaller one; PNG is not', () => {
    const size = { width: 2000, height: 1000 };
    const seen = { x: 0, y: 0, width: 1000, height: 1000 };
    const kinds = (format: 'png' | 'jpeg', pixels: number): readonly string[] =>
      fileAreas(size, seen, format, pixels).map(
        ({ scale, isAll }) => `${isAll ? 'all' : 'seen'} ×${scale}`,
      );
    const pixels = fewerPixels(16 * areaOf(size));
    expect(kinds('jpeg', pixels)).toEqual(['seen ×4', 'all ×2']);
    const fewer = fewerPixels(16 * areaOf(seen));
    expect(kinds('jpeg', fewer)).toEqual(['all ×2']);
    expect(kinds('png', fewer)).toEqual(['all ×4', 'all ×2']);
  });
});
