/** When the benches believe a clock, and how they sample; with clocks that tell what they are told. */
import { describe, expect, test } from 'vitest';
import { batchMilliseconds, quantumOf } from '../../bench/clock.ts';
import { MIN_SAMPLES, nextBatch, sample } from '../../bench/sampling.ts';

const readings = (...times: number[]): bigint[] => times.map((time) => 7_000_001n + BigInt(time));

describe('steps of a clock', () => {
  test.each([
    ['exact', [0, 1203, 77_001, 131_072], 0],
    ['in steps of 65,536 ns', [0, 0, 65_536, 65_536 * 7, 65_536 * 3], 65_536],
    ['in steps of 100 µs', [0, 100_000, 100_000, 900_000], 100_000],
    ['standing still', [0, 0, 0, 0], undefined],
    ['without readings', [], undefined],
  ])('%s', (_, times, quantum) => {
    expect(quantumOf(readings(...times))).toBe(quantum);
  });

  test('make batches: none on an exact clock, else 2 ms and 20 steps at least', () => {
    const of = (kind: 'timestamps' | 'timestamp-batches' | 'wall-batches', ns: number): number =>
      batchMilliseconds({ kind, quantumNanoseconds: ns });
    expect(of('timestamps', 0)).toBe(0);
    expect(of('timestamp-batches', 65_536)).toBe(2);
    expect(of('timestamp-batches', 200_000)).toBe(4);
    expect(of('wall-batches', 30_000)).toBe(2);
    expect(of('wall-batches', 500_000)).toBe(10);
  });
});

test('batches grow until they last, never more than eightfold, never for ever', () => {
  expect(nextBatch(1, 0.5, 2)).toBe(5); // 4, and a tenth more
  expect(nextBatch(1, 0, 2)).toBe(8); // less than a step of the clock
  expect(nextBatch(5, 2.1, 2)).toBe(5);
  expect(nextBatch(3, 1.99, 2)).toBe(4);
  expect(nextBatch(16_384, 0, 2)).toBe(16_384);
});

/** A device on which dispatch i takes `of(i)`, and time passes as it works. */
function fakeDevice(of: (i: number) => number, isBatch: boolean, quantum = 0) {
  let done = 0;
  let time = 0;
  const asked: number[] = [];
  return {
    asked,
    now: () => time,
    take: (count: number): Promise<number[]> => {
      asked.push(count);
      const each = Array.from({ length: count }, () => of(done++));
      const sum = each.reduce((a, b) => a + b, 0);
      time += sum;
      const read = quantum > 0 ? quantum * Math.floor(sum / quantum) : sum;
      return Promise.resolve(isBatch ? [read / count] : each);
    },
  };
}

describe('samples', () => {
  test('begin when the kernel is warm', async () => {
    const slowStart = (i: number): number => Math.max(1, 10 - i / 2);
    const { take, now } = fakeDevice(slowStart, false);
    const spread = await sample(take, { samples: 20, seconds: 3, batchMilliseconds: 0, now });
    expect(spread).toEqual({ p10: 1, median: 1, p90: 1, runs: 20 });
  });

  test('of long kernels end with the time, but not before there are some', async () => {
    const { take, now, asked } = fakeDevice(() => 2500, false);
    const spread = await sample(take, { samples: 20, seconds: 3, batchMilliseconds: 0, now });
    expect(spread.runs).toBe(MIN_SAMPLES);
    expect(new Set(asked)).toEqual(new Set([1]));
  });

  test('on a rounded clock are of batches that it can tell: within a step of the truth', async () => {
    const { take, now, asked } = fakeDevice(() => 0.0137, true, 0.1);
    const options = { samples: 20, seconds: 3, batchMilliseconds: 2, now };
    const { median, runs } = await sample(take, options);
    expect(runs).toBe(20);
    expect(asked.at(-1)! * 0.0137).toBeGreaterThanOrEqual(2);
    // At most one of twenty steps.
    expect(Math.abs(median / 0.0137 - 1)).toBeLessThan(0.05);
  });

  test('of work that takes no time at all still end', async () => {
    const { take, asked } = fakeDevice(() => 0, true);
    let time = 0;
    const now = (): number => (time += 100);
    const { median } = await sample(take, { samples: 5, seconds: 1, batchMilliseconds: 2, now });
    expect(median).toBe(0);
    expect(Math.max(...asked)).toBe(16_384);
  });
});
