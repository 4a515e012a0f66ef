import { expect, test } from 'vitest';
import { choose, sizeClass } from '../../src/kernels/designs.ts';

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
