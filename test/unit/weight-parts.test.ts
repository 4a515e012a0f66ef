/** Weights put together from several tensors: as one tensor's rows, and as the columns of one matrix. */
import { describe, expect, test } from 'vitest';
import type { PlanWeight } from '../../src/engine/plan.ts';
import { placeOf, stacked } from '../../src/graph/weight-parts.ts';
import { readWhole } from '../../src/graph/whole-weight.ts';
import type { WeightSource } from '../../src/graph/weight-source.ts';
import { convert, type Layout, layoutType, type RawTensor } from '../../src/weights/layout.ts';
import { rawWeight } from '../harness/raw-weights.ts';

const raw = (key: string, shape: readonly number[], dtype: 'F16' | 'F32' = 'F16'): RawTensor =>
  rawWeight(dtype, shape, { name: key, seed: key.charCodeAt(0) });
const weightOf = ({ name, shape }: RawTensor, layout: Layout = 'linear'): PlanWeight => ({
  key: name,
  layout,
  type: layoutType(layout, 'f16', shape),
});

function sourceOf(tensors: readonly RawTensor[]): WeightSource {
  const of = (key: string): RawTensor => tensors.find(({ name }) => name === key)!;
  return {
    readWeight: async ({ key, layout, type }) =>
      convert(layout as Layout, type.dtype as 'f16' | 'f32', of(key)),
    placeOf: ({ key }) => {
      const { dtype, shape, bytes } = of(key);
      const read = async (begin: number, target: Uint8Array): Promise<void> => {
        if (begin + target.length > bytes.length) throw new Error('beyond the tensor');
        target.set(bytes.subarray(begin, begin + target.length));
      };
      return { dtype, shape, bytes: bytes.length, order: key.charCodeAt(0), read };
    },
  };
}

/** The tensor that a place reads as, in pieces of `step` bytes. */
async function read(source: WeightSource, weight: PlanWeight, step: number): Promise<RawTensor> {
  const place = placeOf(source, weight)!;
  const bytes = new Uint8Array(place.bytes);
  for (let begin = 0; begin < bytes.length; begin += step) {
    await place.read(begin, bytes.subarray(begin, begin + step));
  }
  return { name: weight.key, dtype: place.dtype, shape: place.shape, bytes };
}

const [q, k, v] = ['q', 'k', 'v'].map((key, i) => raw(key, [4 + 4 * i, 12])) as [
  RawTensor,
  RawTensor,
  RawTensor,
];
const source = sourceOf([q, k, v]);
const qkv = stacked([weightOf(q), weightOf(k), weightOf(v)]);

describe('stacked', () => {
  test('type and rank', () => {
    expect(qkv).toMatchObject({ key: 'q + k + v', type: { dtype: 'f16', shape: [12, 24] } });
    expect(placeOf(source, qkv)).toMatchObject({ shape: [24, 12], bytes: 576, order: 113 });
  });

  test.each([1, 7, 64, 100, 576])('rows one after another, %i bytes at a time', async (step) => {
    const { bytes } = await read(source, qkv, step);
    expect([...bytes]).toEqual([...q.bytes, ...k.bytes, ...v.bytes]);
  });

  test('columns side by side', async () => {
    const whole = convert('linear', 'f16', await read(source, qkv, 576));
    expect(await readWhole(source, qkv)).toEqual(whole);
  });

  test.each([
    ['of other types', raw('k', [8, 12], 'F32')],
    ['that are padded', raw('k', [6, 12])],
  ])('parts %s have no place, but columns', async (_, other) => {
    const mixed = sourceOf([q, other, v]);
    const weight = stacked([weightOf(q), weightOf(other), weightOf(v)]);
    expect(placeOf(mixed, weight)).toBeUndefined();
    const columns = new Uint16Array((await readWhole(mixed, weight)).slice().buffer);
    const own = new Uint16Array(convert('linear', 'f16', other).slice().buffer);
    for (let row = 0; row < 12; row++) {
      expect([...columns.subarray(24 * row + 4, 24 * row + 12)]).toEqual([
        ...own.subarray(8 * row, 8 * row + 8),
      ]);
    }
  });
});

describe('paired', () => {
  const gate = raw('g', [24, 6]);
  const paired = {
    ...weightOf(gate),
    type: { dtype: 'f16', shape: [8, 24] },
    paired: true,
  } as const;
  const gates = sourceOf([gate]);
  const order = Array.from({ length: 24 }, (_, i) => 2 * Math.floor(i / 4) + (i % 2) + (i & 2) * 6);

  test.each([1, 10, 24, 56, 288])('rows two by two, %i bytes at a time', async (step) => {
    const { bytes } = await read(gates, paired, step);
    const rows = order.flatMap((row) => [...gate.bytes.subarray(12 * row, 12 * row + 12)]);
    expect([...bytes]).toEqual(rows);
  });

  test('columns two by two', async () => {
    const whole = convert('linear', 'f16', await read(gates, paired, 288));
    expect(await readWhole(gates, paired)).toEqual(whole);
  });
});
