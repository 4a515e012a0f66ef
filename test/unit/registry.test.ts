/** Every kernel has conformance cases, and the cases cover what style and models call for. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { REGISTRY } from '../kernels/registry.ts';

/** Files without a factory of their own: tested through the kernels that use them. */
const SHARED = readdirSync('src/kernels')
  .map((file) => file.replace(/\.ts$/, ''))
  .filter(
    (name) =>
      !/^export function \w+\((?:.|\n)*?\): Kernel \{|^export const \w+ = \((?:.|\n)*?\): Kernel/m.test(
        readFileSync(`src/kernels/${name}.ts`, 'utf8'),
      ),
  );

test('shared files are known', () => {
  expect(SHARED).toEqual([
    'alu-sums',
    'alu-tiles',
    'attention-flash',
    'attention-lanes',
    'attention-matrix-wide',
    'attention-matrix',
    'attention-spec',
    'attention-tiles',
    'blocks',
    'designs-cpu',
    'designs-matrix',
    'designs',
    'elementwise',
    'epilogue',
    'gemm-program',
    'half-bits',
    'implicit-gemm-alu',
    'implicit-gemm-cpu',
    'implicit-gemm-gpu',
    'implicit-gemm-matrix',
    'matrix-gather',
    'matrix-staging',
    'matrix-tiles',
    'moments',
    'norm-groups',
    'on-demand',
    'phase-sums',
    'philox',
    'product-epilogue',
    'product',
    'rare-ops',
    'relayout-rows',
    'row-norm',
    'shipped-designs',
    'storage',
    'team',
    'tile-moments',
    'unroll',
    'winograd',
  ]);
});

test('every kernel file is registered', () => {
  const files = readdirSync('src/kernels').map((file) => file.replace(/\.ts$/, ''));
  // implicit-gemm is what the products (linear, conv2d, …) are made of.
  const expected = files.filter((file) => !SHARED.includes(file) && file !== 'implicit-gemm');
  expect(Object.keys(REGISTRY).toSorted()).toEqual(expected.toSorted());
});

describe.each(Object.entries(REGISTRY))('%s', (_, cases) => {
  test('has edge cases and unique names', () => {
    expect(cases.some(({ tags }) => tags.includes('edge'))).toBe(true);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });
});
