/** Which products of InvSR-1 run on subgroup matrices, and that every tile fits a device. */
import { describe, expect, test } from 'vitest';
import type { Kernel, MatrixShape, Target, TensorType } from '../../src/engine/kernel.ts';
import { lower } from '../../src/graph/lower.ts';
import { FULL_SIZE } from '../../src/invsr/full-size.ts';
import { stageGraph, STAGES } from '../../src/invsr/tile-graph.ts';
import { attention } from '../../src/kernels/attention.ts';
import { linear } from '../../src/kernels/matmul.ts';

const TARGET: Target = {
  family: 'alu',
  shaderF16: true,
  subgroupSize: 32,
  matrix: { m: 16, n: 16, k: 16 },
};
const PRODUCTS = new Set(['linear', 'conv2d', 'upsampleConv2d', 'gemmPartial']);

const kernelsOf = (precision: 'f16' | 'f32', target: Target): Kernel[] =>
  STAGES.flatMap((stage) => {
    const options = { precision, batch: 1, tile: 128, timesteps: [200], cfg: 1 } as const;
    const graph = stageGraph(stage, FULL_SIZE, { ...options, noise: 'generated' });
    return lower(graph, target).dispatches.map(({ kernel }) => kernel);
  }).filter(({ name }) => PRODUCTS.has(name));

const isMatrix = ({ choice }: Kernel): boolean => /^(matrix|halo)/.test(choice?.design ?? '');
const flopsOf = (kernels: readonly Kernel[]): number =>
  kernels.reduce((sum, { cost }) => sum + cost.flops, 0);

describe('what would not fit 32 KiB is no candidate', () => {
  const x: TensorType = { dtype: 'f16', shape: [1, 256, 512] };
  const attentionDesigns = (subgroupSize: number) =>
    attention({ q: x, k: x, v: x }, { heads: 1 }, { ...TARGET, subgroupSize }).choice?.candidates;
  test('attention of 64 rows for four subgroups', () => {
    expect(attentionDesigns(32)).toContain('wide');
    expect(attentionDesigns(64)).not.toContain('wide');
  });
  test('attention of rows that begin within 16 bytes', () => {
    const packed: TensorType = { dtype: 'f16', shape: [1, 256, 516] };
    const designs = attention(
      { q: x, k: packed, v: x },
      { heads: 1, channels: 512, offsets: { q: 0, k: 0, v: 0 } },
      TARGET,
    ).choice?.candidates;
    expect(designs).not.toContain('wide');
  });
  test('products of eight subgroups, 16 rows each', () => {
    const designs = (matrix: MatrixShape) =>
      linear(
        { x, weight: { dtype: 'f16', shape: [512, 512] } },
        {},
        { ...TARGET, subgroupSize: 16, matrix },
      ).choice?.candidates.filter((name) => name.startsWith('matrix'));
    expect(designs({ m: 8, n: 16, k: 16 })).not.toEqual([]);
    expect(designs({ m: 16, n: 16, k: 16 })).toEqual([]);
  });
});

describe('InvSR-1', () => {
  const kernels = kernelsOf('f16', TARGET);

  test('of its products, 998 thousandths are on matrix units', () => {
    expect(flopsOf(kernels.filter(isMatrix)) / flopsOf(kernels)).toBeGreaterThan(0.998);
  });
  test('wide 3×3 convolutions stage a halo', () => {
    const wide = kernels.filter(
      ({ name, params }) =>
        name === 'conv2d' &&
        params['taps_y']?.value === 3 &&
        params['stride']?.value === 1 &&
        (params['width']?.value ?? 0) >= 16 &&
        (params['ci4']?.value ?? 0) >= 4 &&
        (params['co4']?.value ?? 0) >= 4,
    );
    expect(wide.length).toBeGreaterThan(50);
    expect(wide.map(({ choice }) => choice?.design.slice(0, 4))).toEqual(wide.map(() => 'halo'));
  });
  test('its f32 activations are not: matrices are f16', () => {
    expect(kernelsOf('f32', TARGET).filter(isMatrix)).toEqual([]);
  });
  test('no shared memory beyond 32 KiB', () => {
    const texts = new Set(kernels.filter(isMatrix).map(({ wgsl }) => wgsl));
    expect(texts.size).toBeGreaterThan(3);
    for (const text of texts) {
      const bytes = [...text.matchAll(/var<workgroup> \w+: array<(vec4<f16>|vec4f), (\d+)>/g)].map(
        ([, type, count]) => Number(count) * (type === 'vec4f' ? 16 : 8),
      );
      expect(bytes.length).toBeGreaterThan(1);
      expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(32_768);
    }
  });
});
