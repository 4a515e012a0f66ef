/** What tuning verifies designs by: some pixels of a node in f64, of inputs made up as they are read. */
import { describe, expect, test } from 'vitest';
import { sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import type { Node } from '../../src/graph/graph.ts';
import type { OpName } from '../../src/graph/ops.ts';
import { attentionReference } from '../../src/kernels/attention.ts';
import { conv2dReference } from '../../src/kernels/conv2d.ts';
import { groupNormApplyReference } from '../../src/kernels/group-norm-apply.ts';
import { linearReference } from '../../src/kernels/linear.ts';
import { upsampleConv2dReference } from '../../src/kernels/upsample-conv2d.ts';
import { noiseOf } from '../../src/tune/noise.ts';
import { type Reference, referenceOf, samplePixels } from '../../src/tune/sampled-reference.ts';
import { nmse } from '../../src/tune/tolerance.ts';

describe('sampled pixels', () => {
  test('have the first, the last, no doubles, and are always the same', () => {
    const pixels = samplePixels(1_000_000, 24);
    expect(pixels).toHaveLength(24);
    expect(new Set(pixels).size).toBe(24);
    expect([pixels[0], pixels.at(-1)]).toEqual([0, 999_999]);
    expect(samplePixels(1_000_000, 24)).toEqual(pixels);
  });
  test('are all of a few', () => expect(samplePixels(3, 24)).toEqual([0, 1, 2]));
});

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

const nodeOf = (
  op: OpName,
  inputs: Readonly<Record<string, TensorType>>,
  constants: object,
  output: TensorType,
): Node => {
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, type], i) => [name, { ...type, id: i + 1 }]),
  );
  return { op, path: op, inputs: tensors, constants, output: { ...output, id: 0 } } as Node;
};

/** Every pixel of the sampled reference, and every input whole. */
function allOf(node: Node): { actual: number[]; data: Record<string, Float32Array> } {
  const reference = referenceOf(node) as Reference;
  const channels = node.output.shape.at(-1)!;
  const pixels = Array.from({ length: sizeOf(node.output.shape) / channels }, (_, i) => i);
  const inputs = Object.entries(reference.inputs).flatMap(([name, noise]) =>
    noise ? [[name, noise.slice(0, sizeOf(noise.type.shape))] as const] : [],
  );
  return {
    actual: pixels.flatMap((pixel) => [...reference.expected(pixel)]),
    data: Object.fromEntries(inputs),
  };
}

const expectSame = (actual: readonly number[], expected: Float32Array): void => {
  expect(actual).toHaveLength(expected.length);
  expect(nmse(actual, expected)).toBeLessThan(1e-14);
};

describe('the sampled reference is the whole one, pixel by pixel:', () => {
  test('linear', () => {
    const inputs = { x: f16(1, 5, 8), weight: f16(8, 12), bias: f32(12), residual: f16(1, 5, 12) };
    const { actual, data } = allOf(nodeOf('linear', inputs, { activation: 'gelu' }, f16(1, 5, 12)));
    const whole = linearReference(data as Parameters<typeof linearReference>[0], {
      inner: 8,
      activation: 'gelu',
    });
    expectSame(actual, whole);
  });
  test.each([1, 2] as const)('conv2d, stride %i', (stride) => {
    const side = stride === 1 ? [7, 5] : [4, 3];
    const inputs = {
      x: f32(2, 7, 5, 8),
      weight: f16(3, 3, 8, 4),
      bias: f32(4),
      shift: f32(2, 4),
      residual: f32(2, ...side, 4),
    };
    const padding = { top: 1, left: 1, bottom: 1, right: 1 };
    const constants = { stride, padding, activation: 'silu' } as const;
    const { actual, data } = allOf(nodeOf('conv2d', inputs, constants, f32(2, ...side, 4)));
    const whole = conv2dReference(
      data as unknown as Parameters<typeof conv2dReference>[0],
      { x: inputs.x.shape, weight: inputs.weight.shape },
      constants,
    );
    expectSame(actual, whole);
  });
  // Norms that the products take on: graph/norms.ts, graph/row-norms.ts.
  const normed = (data: Record<string, Float32Array>, activation: 'silu' | 'none') => ({
    ...data,
    x: groupNormApplyReference(data as Record<'x' | 'stats' | 'beta', Float32Array>, {
      activation,
    }),
  });
  test('conv2d of a normalized x', () => {
    const inputs = {
      x: f32(2, 3, 5, 8),
      stats: f32(2, 2, 8),
      beta: f32(8),
      weight: f16(3, 3, 8, 4),
    };
    const padding = { top: 1, left: 1, bottom: 1, right: 1 };
    const constants = { padding, normActivation: 'silu' } as const;
    const { actual, data } = allOf(nodeOf('conv2d', inputs, constants, f32(2, 3, 5, 4)));
    const whole = conv2dReference(
      normed(data, 'silu') as unknown as Parameters<typeof conv2dReference>[0],
      { x: inputs.x.shape, weight: inputs.weight.shape },
      { padding },
    );
    expectSame(actual, whole);
  });
  test('linear of a normalized x', () => {
    const inputs = { x: f16(2, 5, 8), stats: f32(2, 2, 8), beta: f32(8), weight: f16(8, 12) };
    const { actual, data } = allOf(nodeOf('linear', inputs, {}, f16(2, 5, 12)));
    type Data = Parameters<typeof linearReference>[0];
    expectSame(actual, linearReference(normed(data, 'none') as unknown as Data, { inner: 8 }));
  });
  test('linear of normalized rows', () => {
    const inputs = { x: f32(2, 5, 8), gamma: f32(8), columns: f32(12), weight: f16(8, 12) };
    const constants = { rowEps: 1e-5 };
    const { actual, data } = allOf(nodeOf('linear', inputs, constants, f32(2, 5, 12)));
    type Data = Parameters<typeof linearReference>[0];
    expectSame(actual, linearReference(data as Data, { inner: 8, ...constants }));
  });
  test('linear of two tensors side by side', () => {
    const inputs = { x: f32(1, 5, 8), x2: f32(1, 5, 4), weight: f16(12, 4) };
    const { actual, data } = allOf(nodeOf('linear', inputs, {}, f32(1, 5, 4)));
    const x = Float32Array.from({ length: 5 * 12 }, (_, i) => {
      const [row, k] = [Math.floor(i / 12), i % 12];
      return (k < 8 ? data['x']![row * 8 + k] : data['x2']![row * 4 + k - 8])!;
    });
    expectSame(actual, linearReference({ x, weight: data['weight']! }, { inner: 12 }));
  });
  test('upsampleConv2d', () => {
    const inputs = { x: f32(2, 3, 4, 8), weight: f32(2, 2, 2, 2, 8, 4), bias: f32(4) };
    const { actual, data } = allOf(nodeOf('upsampleConv2d', inputs, {}, f32(2, 6, 8, 4)));
    expectSame(
      actual,
      upsampleConv2dReference(
        data as unknown as Parameters<typeof upsampleConv2dReference>[0],
        { x: inputs.x.shape, weight: inputs.weight.shape },
        {},
      ),
    );
  });
  test.each([
    ['self', { q: f32(2, 5, 8), k: f32(2, 5, 8), v: f32(2, 5, 8) }, { heads: 2 }],
    ['causal', { q: f32(2, 5, 8), k: f32(2, 5, 8), v: f32(2, 5, 8) }, { heads: 2, causal: true }],
    ['one k for all', { q: f32(2, 5, 8), k: f32(1, 3, 8), v: f32(1, 3, 8) }, { heads: 1 }],
    [
      'packed',
      { q: f32(2, 5, 24), k: f32(2, 5, 24), v: f32(2, 5, 24) },
      { heads: 2, channels: 8, offsets: { q: 0, k: 8, v: 16 } },
    ],
  ])('attention, %s', (_, inputs, constants) => {
    const { actual, data } = allOf(nodeOf('attention', inputs, constants, f32(2, 5, 8)));
    const whole = attentionReference(data as Parameters<typeof attentionReference>[0], {
      ...constants,
      batch: 2,
      kvBatch: inputs.k.shape[0]!,
      queries: 5,
      keys: inputs.k.shape[1]!,
    });
    expectSame(actual, whole);
  });
});

test('noise is normal, of its type, and its own for every seed', () => {
  const noise = noiseOf(f16(1000, 100), 1, { mean: 0.25, std: 2 });
  const values = noise.slice(65_000, 20_000); // across the end of the block
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const power = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  expect(mean).toBeCloseTo(0.25, 1);
  expect(Math.sqrt(power)).toBeCloseTo(2, 1);
  expect(noiseOf(f16(10), 2).slice(0, 10)).not.toEqual(noise.slice(0, 10));
});
