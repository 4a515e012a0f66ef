/** Which products of InvSR-1 run on subgroup matrices, and that every tile fits a device. */
import { describe, expect, test } from 'vitest';
import type { Kernel, Target } from '../../src/engine/kernel.ts';
import { lower } from '../../src/graph/lower.ts';
import { FULL_SIZE } from '../../src/invsr/full-size.ts';
import { stageGraph, STAGES } from '../../src/invsr/tile-graph.ts';

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
