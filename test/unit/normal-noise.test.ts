/** The noise's generator against published vectors, its distribution, and what it may depend on. */
import { describe, expect, test } from 'vitest';
import { normalNoiseReference } from '../../src/kernels/normal-noise.ts';
import { type Counter, type Key, philox } from '../../src/kernels/philox.ts';

/** `philox4x32 10` of Random123's kat_vectors. */
const KNOWN_ANSWERS: readonly (readonly [Counter, Key, Counter])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

test.each(KNOWN_ANSWERS)('philox %j %j', (counter, key, answer) => {
  expect(philox(counter, key)).toEqual(answer);
});

function noise(
  origins: readonly number[],
  size: readonly [height: number, width: number],
  { stage = 0, seed = [12_345, 0], channels = 4 }: Partial<NoiseOptions> = {},
): Float32Array {
  const [height, width] = size;
  return normalNoiseReference(
    { origins: Uint32Array.from(origins), seed: Uint32Array.from([...seed, 0, 0]) },
    { stage, height, width, channels },
  );
}

interface NoiseOptions {
  readonly stage: number;
  readonly seed: readonly [number, number];
  readonly channels: number;
}

describe('distribution of 262,144 values', () => {
  const SIDE = 256;
  const z = noise([0, 0], [SIDE, SIDE]);
  const mean = (f: (v: number, i: number) => number) =>
    z.reduce((sum, v, i) => sum + f(v, i), 0) / z.length;
  // five standard errors of each statistic: sqrt(variance of the summand / 262144)
  const within = (variance: number) => 5 * Math.sqrt(variance / z.length);

  test.each([
    ['mean', 0, 1, (v: number) => v],
    ['variance', 1, 2, (v: number) => v ** 2],
    ['skewness', 0, 15, (v: number) => v ** 3],
    ['kurtosis', 3, 96, (v: number) => v ** 4],
    ['beyond two deviations', 0.0455, 0.0434, (v: number) => (Math.abs(v) > 2 ? 1 : 0)],
  ])('%s', (_, expected, variance, f) => {
    expect(Math.abs(mean(f) - expected)).toBeLessThan(within(variance));
  });

  test.each([
    ['the next channel', 1],
    ['the channel after that', 2],
    ['the next column', 4],
    ['the next row', 4 * SIDE],
    ['the next row and column', 4 * SIDE + 4],
  ])('no correlation with %s', (_, offset) => {
    const correlation = mean((v, i) => v * z[(i + offset) % z.length]!);
    expect(Math.abs(correlation)).toBeLessThan(within(1));
  });

  test.each([
    ['stage', { stage: 1 }],
    ['seed', { seed: [12_346, 0] }],
    ['high word of the seed', { seed: [12_345, 1] }],
  ] as const)('no correlation with another %s', (_, options) => {
    const other = noise([0, 0], [SIDE, SIDE], options);
    expect(Math.abs(mean((v, i) => v * other[i]!))).toBeLessThan(within(1));
  });
});

describe('depends on absolute position only', () => {
  const whole = noise([10, 20], [9, 9]);
  const at = (y: number, x: number) => whole.slice(((y - 10) * 9 + x - 20) * 4).slice(0, 4);

  test('not on the tile or its place in the batch', () => {
    const tiles = noise([10, 20, 13, 22], [4, 5]);
    const secondTile = tiles.subarray(4 * 5 * 4);
    for (const [y, x] of [
      [13, 22],
      [14, 25],
      [16, 26],
    ] as const) {
      expect(secondTile.slice(((y - 13) * 5 + x - 22) * 4).slice(0, 4)).toEqual(at(y, x));
    }
  });

  test('not on the number of channels', () => {
    const three = noise([11, 21], [1, 1], { channels: 3 });
    expect([...three]).toEqual([...at(11, 21).slice(0, 3), 0]);
    const six = noise([11, 21], [1, 1], { channels: 6 });
    expect(six.slice(0, 4)).toEqual(at(11, 21));
    expect(six.slice(6)).toEqual(new Float32Array(2));
  });
});
