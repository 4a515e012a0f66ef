import { describe, expect, test } from 'vitest';
import { choose, sizeClass } from '../../src/kernels/designs.ts';
import { shippedDesign } from '../../src/kernels/shipped-designs.ts';

const CANDIDATES = ['tile64x64', 'splitK4'] as const;

test('the first candidate is chosen where nothing was measured', () => {
  expect(choose('gemm', CANDIDATES, {})).toEqual({
    key: 'gemm',
    design: 'tile64x64',
    candidates: CANDIDATES,
    source: 'guess',
  });
});

test('a measured design wins, and an unknown one counts for nothing', () => {
  const designOf = (design: string): string =>
    choose('gemm', CANDIDATES, { designs: { gemm: design } }).design;
  expect(designOf('splitK4')).toBe('splitK4');
  expect(designOf('of another version')).toBe('tile64x64');
});

test('classes round sizes up to powers of two', () => {
  expect(sizeClass('gemm f16', { m: 4096, n: 320, k: 2880 })).toBe('gemm f16 m4096 n512 k4096');
  expect(sizeClass('gemm f16', { m: 1, n: 0 })).toBe('gemm f16 m1 n1');
});

describe('shipped designs', () => {
  const rows = { 'acme/one': { gemm: 'splitK4' }, acme: { gemm: 'tile64x64', conv: 'splitK4' } };
  const designOf = (architecture: string, key: string) =>
    shippedDesign({ vendor: 'acme', architecture }, key, rows);
  test('of the architecture, else of the vendor, else none', () => {
    expect(designOf('one', 'gemm')).toBe('splitK4');
    expect(designOf('two', 'gemm')).toBe('tile64x64');
    expect(designOf('one', 'conv')).toBe('splitK4');
    expect(designOf('one', 'attention')).toBeUndefined();
    expect(shippedDesign({ vendor: 'other', architecture: 'one' }, 'gemm', rows)).toBeUndefined();
  });
  test('tuning comes before them', () => {
    const adapter = { vendor: 'mesa', architecture: 'software' };
    const choice = choose('gemm', CANDIDATES, { designs: { gemm: 'splitK4' }, adapter });
    expect(choice).toMatchObject({ design: 'splitK4', source: 'tuned' });
  });
});
