/** Verdicts of --compare, and what it refuses to believe. */
import { describe, expect, test } from 'vitest';
import { compareRecords, mismatchOf, verdictOf } from '../../bench/compare.ts';
import { comparisonLines } from '../../bench/kernel-report.ts';
import { readComparable } from '../../bench/read-record.ts';
import type { Machine } from '../../bench/record.ts';
import type { Spread } from '../../src/invsr/measure.ts';

const spread = (p10: number, median: number, p90: number, runs = 20): Spread => ({
  p10,
  median,
  p90,
  runs,
});

const machine: Machine = {
  date: '2026-11-21T10:00',
  commit: 'abc1234',
  adapter: 'Driver 1.2.3',
  device: 'Card 9000',
  vendor: 'maker',
  architecture: 'arch-5',
  shaderF16: true,
  dawn: 'webgpu 0.6.2',
  node: 'v20.20.2',
  cpu: 'processor',
  cores: 2,
  load: 0.1,
};

describe('a verdict', () => {
  test.each([
    ['faster', spread(9, 10, 11), spread(7, 8, 8.9)],
    ['slower', spread(7, 8, 8.9), spread(9, 10, 11)],
    // The ranges meet, however far the medians are apart.
    ['same', spread(5, 10, 15), spread(4, 5, 5.1)],
    ['same', spread(9, 10, 11), spread(8, 8.5, 9)],
    // The ranges do not meet, but 3 % is nothing.
    ['same', spread(9.99, 10, 10.01), spread(9.7, 9.71, 9.72)],
    ['faster', spread(9.99, 10, 10.01), spread(9.68, 9.69, 9.7)],
    ['too few samples', spread(10, 10, 10, 2), spread(1, 1, 1, 20)],
  ] as const)('%s', (verdict, before, after) => {
    expect(verdictOf(before, after)).toBe(verdict);
  });
});

test('rows are matched by id; what only one record has is counted', () => {
  const before = {
    machine,
    rows: [
      { id: 'a', milliseconds: spread(9, 10, 11) },
      { id: 'b', milliseconds: spread(1, 2, 3) },
      { id: 'gone', milliseconds: spread(1, 2, 3) },
    ],
  };
  const after = {
    machine: { ...machine, dawn: 'webgpu 0.7.0', load: 4 },
    rows: [
      { id: 'new 1', milliseconds: spread(1, 2, 3) },
      { id: 'new 2', milliseconds: spread(1, 2, 3) },
      { id: 'b', milliseconds: spread(1, 2, 3) },
      { id: 'a', milliseconds: spread(4, 5, 6) },
    ],
  };
  const found = compareRecords(before, after);
  expect(found.rows.map(({ id, speedup, verdict }) => [id, speedup, verdict])).toEqual([
    ['b', 1, 'same'],
    ['a', 2, 'faster'],
  ]);
  expect(found.counts).toEqual({ faster: 1, slower: 0, same: 1, 'too few samples': 0 });
  expect([found.onlyBefore, found.onlyAfter]).toEqual([1, 2]);
  expect(found.notes).toEqual([
    'Dawn: webgpu 0.6.2 then, webgpu 0.7.0 now',
    'load of the machine: 0.1 then, 4 now; a busy machine moves times',
  ]);
  expect(comparisonLines(found).at(-1)).toBe(
    '1 faster, 0 slower, 1 the same within noise; 2 only now; 1 only then',
  );
});

describe('another adapter or driver', () => {
  const of = (change: Partial<Machine>) => ({ machine: { ...machine, ...change }, rows: [] });
  test.each([{ adapter: 'Driver 1.2.4' }, { device: 'Card 9001' }, { architecture: 'arch-6' }])(
    '%j does not compare',
    (change) => {
      expect(mismatchOf(of({}), of(change))).toMatch(/^measured on Driver 1.2.3.*, but this is /);
    },
  );

  test('another commit, date or load does', () => {
    expect(mismatchOf(of({}), of({ commit: 'def', date: '2027', load: 9 }))).toBeUndefined();
  });
});

describe('a file', () => {
  const row = { id: 'a', milliseconds: spread(1, 2, 3) };
  const record = (id: string): object => ({
    bench: 'kernels',
    machine,
    clock: { kind: 'timestamps', quantumNanoseconds: 0 },
    rows: [{ ...row, id }],
  });
  const read = (text: string) => readComparable(text, 'kernels', 'old.json');
  const lines = (...values: unknown[]): string =>
    values.map((value) => `${JSON.stringify(value)}\n`).join('');

  test('of several records gives the last of its bench', () => {
    const text = lines(record('first'), record('last'), { bench: 'model', machine, rows: [row] });
    expect(read(text).rows.map(({ id }) => id)).toEqual(['last']);
    expect(read(text).clock?.kind).toBe('timestamps');
  });

  test('may be formatted, or what --json printed', () => {
    expect(read(JSON.stringify(record('a'), null, 2)).rows).toHaveLength(1);
    expect(read(lines({ event: 'result', ...record('a') })).rows).toHaveLength(1);
  });

  const broken = { ...row, milliseconds: { p10: 1, median: null, p90: 3, runs: 5 } };
  test.each([
    ['empty', '', /^old.json is empty$/],
    ['no JSON', 'ms  kernel\n3.1 conv2d\n', /^old.json is no record of a bench: line 1 is not/],
    ['cut short', lines(record('a')).slice(0, -20), /line 1 is not a JSON object/],
    [
      'of another bench',
      lines({ bench: 'model', rows: [] }),
      /no record of bench kernels, but of model/,
    ],
    ['of something else', lines({ name: 'invsr' }), /no record of bench kernels, but of no bench/],
    ['without a machine', lines({ ...record('a'), machine: {} }), /damaged: .* has no machine/],
    ['without rows', lines({ ...record('a'), rows: 'none' }), /damaged: .* has no rows/],
    ['without times', lines({ ...record('a'), rows: [row, broken] }), /has no times in row 2/],
  ])('that is %s is refused in a sentence', (_, text, sentence) => {
    expect(() => read(text)).toThrow(sentence);
    expect(() => read(text)).toThrow(expect.objectContaining({ name: 'BenchInputError' }) as Error);
  });
});
