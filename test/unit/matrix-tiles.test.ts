/** Which products of InvSR-1 run on subgroup matrices, and that every tile fits a device. */
import { describe, expect, test } from 'vitest';
import type {
  Designs,
  Kernel,
  SubgroupMatrix,
  Target,
  TensorType,
} from '../../src/engine/kernel.ts';
import { lower } from '../../src/graph/lower.ts';
import { FULL_SIZE } from '../../src/invsr/full-size.ts';
import { stageGraph, STAGES } from '../../src/invsr/tile-graph.ts';
import { attention } from '../../src/kernels/attention.ts';
import { conv2d } from '../../src/kernels/conv2d.ts';
import { linear } from '../../src/kernels/linear.ts';
import { AMD, APPLE, INTEL, INTEL_16, NVIDIA, withMatrix } from '../harness/matrices.ts';
import { groupNormed } from '../kernels/group-normed.ts';

const TARGET = withMatrix(NVIDIA);
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

/** Of workgroup memory, by its declarations. */
const sharedBytesOf = (wgsl: string): number =>
  [...wgsl.matchAll(/var<workgroup> \w+: array<(vec4<f16>|vec4f|f32), (\d+)>/g)]
    .map(([, type, count]) => Number(count) * { 'vec4<f16>': 8, vec4f: 16, f32: 4 }[type!]!)
    .reduce((sum, size) => sum + size, 0);

describe('what would not fit 32 KiB is no candidate', () => {
  const x: TensorType = { dtype: 'f16', shape: [1, 256, 512] };
  const attentionDesigns = (matrix: SubgroupMatrix, heads = 1) =>
    attention({ q: x, k: x, v: x }, { heads }, withMatrix(matrix)).choice?.candidates;
  test('attention of 64 rows for four subgroups', () => {
    expect(attentionDesigns(NVIDIA)).toContain('wide');
    expect(attentionDesigns(AMD)).not.toContain('wide');
  });
  test('attention in f32', () => {
    expect(attentionDesigns(APPLE, 8)?.join()).not.toContain('matrix');
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
  const products = (matrix: SubgroupMatrix) =>
    linear(
      { x, weight: { dtype: 'f16', shape: [512, 512] } },
      {},
      withMatrix(matrix),
    ).choice?.candidates.filter((name) => name.startsWith('matrix'));
  test('products of eight subgroups, 16 rows each', () => {
    expect(products(INTEL_16)).not.toEqual([]);
    expect(products({ ...INTEL_16, m: 16 })).toEqual([]);
  });
  test('products in f32 of direct weights, or of more sums than registers', () => {
    expect(products(APPLE)).toEqual(['matrix64x64', 'matrix128x64']);
  });
  // With all that takes shared memory beside the tiles: moments of x and of y.
  test.each([NVIDIA, AMD, INTEL, INTEL_16, APPLE])('and all that are fit: %j', (matrix) => {
    const image: TensorType = { dtype: 'f16', shape: [1, 64, 64, 320] };
    const normed = groupNormed(image, 32);
    const make = (designs: Designs): Kernel =>
      conv2d(
        { x: image, ...normed.inputs, weight: { dtype: 'f16', shape: [3, 3, 320, 320] } },
        {
          padding: { top: 1, left: 1, bottom: 1, right: 1 },
          momentChannels: 10,
          ...normed.constants,
        },
        { ...withMatrix(matrix), designs },
      );
    const { key, candidates } = make({}).choice!;
    const designs = candidates.filter((name) => /^(matrix|halo)/.test(name));
    expect(designs.length).toBeGreaterThan(3);
    for (const design of designs) {
      const { wgsl } = make({ [key]: design });
      expect(sharedBytesOf(wgsl), design).toBeGreaterThan(8192);
      expect(sharedBytesOf(wgsl), design).toBeLessThanOrEqual(32_768);
    }
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
  test('its f32 activations are not: operands are f16', () => {
    expect(kernelsOf('f32', TARGET).filter(isMatrix)).toEqual([]);
  });
  test('no shared memory beyond 32 KiB', () => {
    const texts = new Set(kernels.filter(isMatrix).map(({ wgsl }) => wgsl));
    expect(texts.size).toBeGreaterThan(3);
    for (const text of texts) expect(sharedBytesOf(text)).toBeLessThanOrEqual(32_768);
  });
});
