/** Tiles, blending weights and padding against the official splitter's numbers. */
import { describe, expect, test } from 'vitest';
import { planPadding } from '../../src/invsr/padding.ts';
import { gaussian, tileGrid, tileStarts } from '../../src/invsr/official-frame.ts';
import { evenGrid, rampTaps, spreadStarts } from '../../src/invsr/tiles.ts';
import { openGolden } from '../harness/goldens.ts';

describe('splitter', () => {
  test.each([
    ['26x37_p16_s8_sf2', 26, 37, 16, 8],
    ['32x48_p32_s16_sf2', 32, 48, 32, 16],
  ])('%s: starts', async (name, height, width, tile, stride) => {
    const golden = await openGolden('networks/splitter');
    const numbers = (key: string) =>
      Array.from(golden.at(`${name}.${key}`).data as Int32Array, Number);
    expect(tileStarts(height, tile, stride)).toEqual(numbers('height_starts'));
    expect(tileStarts(width, tile, stride)).toEqual(numbers('width_starts'));
    const { tiles } = tileGrid({ height, width }, { tile, stride, scale: 2 });
    expect(tiles.flatMap(({ y, x }) => [y, x])).toEqual(numbers('starts'));
  });

  test.each([8, 192, 512])('Gaussian of %i taps', async (n) => {
    const golden = await openGolden('networks/splitter');
    const expected = golden.at(`kernel1d_${n}_f64`).data as Float64Array;
    const taps = gaussian(n);
    const sum = taps.reduce((a, b) => a + b, 0);
    const expectedSum = expected.reduce((a, b) => a + b, 0);
    for (const [i, tap] of taps.entries()) {
      expect(Math.abs(tap / sum - expected[i]! / expectedSum)).toBeLessThan(1e-15);
    }
  });

  test('blending in f64 by separable weights is the official blend', async () => {
    const golden = await openGolden('networks/splitter');
    const name = '26x37_p16_s8_sf2';
    const patches = golden.f32(`${name}.patch_results`).data; // [12, 3, 32, 32]
    const expected = golden.at(`${name}.gathered_f64`).data as Float64Array; // [1, 3, 52, 74]
    const grid = tileGrid({ height: 26, width: 37 }, { tile: 16, stride: 8, scale: 2 });
    const blended = new Float64Array(expected.length);
    for (const [t, { y, x }] of grid.tiles.entries()) {
      const wy = grid.rowWeights.get(y)!;
      const wx = grid.columnWeights.get(x)!;
      for (let c = 0; c < 3; c++) {
        for (let i = 0; i < 32; i++) {
          for (let j = 0; j < 32; j++) {
            blended[(c * 52 + 2 * y + i) * 74 + 2 * x + j]! +=
              wy[i]! * wx[j]! * patches[((t * 3 + c) * 32 + i) * 32 + j]!;
          }
        }
      }
    }
    // Weights are rounded to f32: 6e-8 of values up to 1, four tiles deep.
    for (const [i, v] of expected.entries()) expect(Math.abs(blended[i]! - v)).toBeLessThan(5e-7);
  });
});

describe('weights sum to one everywhere', () => {
  test.each([
    [128, 128, 128, 64],
    [128, 192, 128, 96],
    [400, 272, 128, 120],
    [144, 1024, 128, 128],
  ])('%ix%i, tile %i, stride %i', (height, width, tile, stride) => {
    const { tiles, rowWeights, columnWeights } = tileGrid(
      { height, width },
      { tile, stride, scale: 4 },
    );
    const axis = (starts: number[], weights: ReadonlyMap<number, Float32Array>, length: number) => {
      const sum = new Float64Array(length * 4);
      for (const start of new Set(starts)) {
        for (const [i, w] of weights.get(start)!.entries()) sum[start * 4 + i]! += w;
      }
      for (const s of sum) expect(Math.abs(s - 1)).toBeLessThan(4 * 2 ** -24);
    };
    axis(
      tiles.map((t) => t.y),
      rowWeights,
      height,
    );
    axis(
      tiles.map((t) => t.x),
      columnWeights,
      width,
    );
  });
});

describe('even tiles', () => {
  test('starts: even numbers, from end to end, no step too long, as few as possible', () => {
    for (let length = 32; length <= 400; length += 2) {
      for (const overlap of [0, 2, 4, 5.3, 8, 16]) {
        const starts = spreadStarts(length, 32, overlap);
        expect([starts[0], starts.at(-1)]).toEqual([0, length - 32]);
        const longest = 2 * Math.floor((32 - overlap) / 2);
        for (const [i, start] of starts.entries()) {
          expect(start % 2).toBe(0);
          if (i > 0) expect(start - starts[i - 1]!).toBeLessThanOrEqual(longest);
        }
        expect((starts.length - 2) * longest).toBeLessThan(Math.max(1, length - 32));
      }
    }
  });

  test('1920 x 1080 in tiles of 128 with the default overlap: 1.34 times its pixels', () => {
    const { tiles } = evenGrid(
      { width: 1920, height: 1088 },
      { tile: 128, overlap: 0.125, scale: 4 },
    );
    expect(tiles).toHaveLength(170);
    expect((tiles.length * 128 ** 2) / (1920 * 1080)).toBeLessThan(1.35);
  });

  test('a tile fades only where a neighbour is, to nothing at its edge', () => {
    const taps = rampTaps([0, 28, 56], 1, {
      tile: 32,
      scale: 4,
      ramp: { shape: 'cosine', margin: 2 },
    });
    expect([...taps.subarray(0, 2), ...taps.subarray(-2)]).toEqual([0, 0, 0, 0]);
    expect(taps.subarray(16, -16)).toEqual(new Float64Array(128 - 32).fill(1));
    const first = rampTaps([0, 28], 0, {
      tile: 32,
      scale: 4,
      ramp: { shape: 'linear', margin: 0 },
    });
    const second = rampTaps([0, 28], 1, {
      tile: 32,
      scale: 4,
      ramp: { shape: 'linear', margin: 0 },
    });
    for (let i = 0; i < 16; i++) expect(first[112 + i]! + second[i]!).toBeCloseTo(1, 12);
    expect(first[0]).toBe(1);
  });

  test.each([
    [128, 0.125],
    [144, 0.5],
    [208, 0.5],
    [400, 0.25],
    [1024, 0],
  ])('weights of %i pixels, overlap %f, sum to one', (length, overlap) => {
    const { tiles, columnWeights } = evenGrid(
      { height: 128, width: length },
      { tile: 128, overlap, scale: 4 },
    );
    const sum = new Float64Array(4 * length);
    for (const { x } of tiles) {
      for (const [i, w] of columnWeights.get(x)!.entries()) sum[4 * x + i]! += w;
    }
    for (const s of sum) expect(Math.abs(s - 1)).toBeLessThan(4 * 2 ** -24);
  });
});

describe('padding', () => {
  test.each(['20x27_p32', '2x3_p16', '31x40_p32', '40x9_p32', '9x11_p32'])('%s', async (name) => {
    const golden = await openGolden('networks/reflect_pad');
    const [height = 0, width = 0, tile = 0] = name.split(/x|_p/).map(Number);
    const pads = Array.from(golden.at(`${name}.pads_l_r_t_b`).data as Int32Array, Number);
    const [top, left] = Array.from(golden.at(`${name}.total_top_left`).data as Int32Array, Number);
    const plan = planPadding(height, width, tile);
    const reached = plan.passes.slice(0, pads.length / 4);
    expect(reached.flatMap((p) => [p.left, p.right, p.top, p.bottom])).toEqual(pads);
    expect([plan.top, plan.left]).toEqual([top, left]);
    expect(plan.height >= tile && plan.width >= tile).toBe(true);
  });

  test('sides beyond a tile become multiples of 16', () => {
    const plan = planPadding(41, 53, 32);
    expect([plan.height, plan.width, plan.top, plan.left]).toEqual([48, 64, 0, 0]);
  });

  test('an image of one tile is left alone', () => {
    expect(planPadding(128, 128, 128).passes).toEqual([]);
  });
});
