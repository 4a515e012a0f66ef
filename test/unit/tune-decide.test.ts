/** Who wins by their times: beyond noise, outliers and chance. */
import { describe, expect, test } from 'vitest';
import { areExact } from '../../src/tune/clock.ts';
import { contenders, decide, estimate, MAX_ROUNDS, rankScore } from '../../src/tune/decide.ts';
import { normal, uniform } from '../harness/random.ts';

/** Times around `mean`, of which a tenth are three times as long. */
const timesOf = (mean: number, seed: number, std = 0.02): number[] => {
  const next = uniform(seed);
  return [...normal(MAX_ROUNDS, seed, { mean, std: std * mean })].map((time) =>
    next() < 0.1 ? 3 * time : time,
  );
};

describe('decide', () => {
  test('takes the fastest of several that beat the first', () => {
    const samples = { a: timesOf(10, 1), b: timesOf(8, 2), c: timesOf(7, 3), d: timesOf(12, 4) };
    expect(decide('a', samples)).toBe('c');
  });
  test('the first stands where the gain is small', () => {
    expect(decide('a', { a: timesOf(10, 1), b: timesOf(9.8, 2) })).toBe('a');
  });
  test('the first stands where the gain is within the noise', () => {
    expect(decide('a', { a: timesOf(10, 1, 0.3), b: timesOf(9.2, 2, 0.3) })).toBe('a');
  });
  test('among equals the first wins in nearly all of a thousand races', () => {
    let lost = 0;
    for (let seed = 0; seed < 2000; seed += 2) {
      const samples = { a: timesOf(10, seed + 1, 0.1), b: timesOf(10, seed + 2, 0.1) };
      if (decide('a', samples) !== 'a') lost++;
    }
    // 0.6 % by the ranks, fewer with the gain that is wanted besides
    expect(lost).toBeLessThan(15);
  });
  test('without the first, the fastest of the others', () => {
    expect(decide('a', { b: timesOf(12, 1), c: timesOf(11, 2) })).toBe('c');
    expect(decide('a', {})).toBe('a');
  });
  test('a challenger with few samples wins nothing', () => {
    expect(decide('a', { a: timesOf(10, 1), b: [5, 5, 5] })).toBe('a');
  });
});

test('slow samples do not move an estimate, nor hide a difference', () => {
  const disturbed = [4, 4.1, 4.2, 4.3, 9, 20, 31, 60];
  expect(estimate(disturbed).time).toBeLessThan(4.2);
  expect(decide('a', { a: disturbed, b: [1, 1.1, 1.2, 3, 5, 8, 10, 12] })).toBe('a'); // they overlap
  expect(decide('a', { a: disturbed, b: [1, 1.1, 1.2, 1.3, 1.4, 1.5, 3, 8] })).toBe('b');
});

test('ranks: no difference is 0, five against five without overlap suffice', () => {
  expect(rankScore([1, 2, 3], [1, 2, 3])).toBe(0);
  expect(rankScore([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2.61, 2);
  expect(decide('a', { a: [6, 7, 8, 9, 10], b: [1, 2, 3, 4, 5] })).toBe('b');
  expect(decide('a', { a: [6, 7, 8, 9, 10], b: [1, 2, 3, 4, 6.5] })).toBe('a');
});

test('what is far behind is timed no more, but the first', () => {
  expect(contenders('a', { a: [20], b: [10], c: [12], d: [14] })).toEqual(['a', 'b', 'c']);
});

test('timestamps are used where they are finer than the kernels', () => {
  expect(areExact([123_456, 78_901, 45_678])).toBe(true);
  expect(areExact([65_536, 131_072, 65_536])).toBe(false); // browsers' quantisation
  expect(areExact([100_000, 300_000, 0])).toBe(false);
  expect(areExact([0, 0, 0])).toBe(false);
});
