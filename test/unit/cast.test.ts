import { describe, expect, test } from 'vitest';
import { cast, castType } from '../../src/weights/cast.ts';
import { f16BitsToF32 } from '../../src/weights/half.ts';
import { uniform } from '../harness/random.ts';

const bytesOf = (view: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const halves = (bytes: Uint8Array<ArrayBuffer>) => [...new Uint16Array(bytes.buffer)];

test('integers, and floats that stay, are the same bytes', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  for (const [dtype, target] of [
    ['I64', 'F16'],
    ['BOOL', 'F32'],
    ['F16', 'F16'],
    ['F64', undefined],
  ] as const) {
    expect(cast(bytes, dtype, target)).toEqual({ bytes, beyond: undefined });
    expect(castType(dtype, target)).toBe(dtype);
  }
});

describe('F64 → F16 is the nearest f16, ties to even', () => {
  /** By looking among all of them. */
  const all = Array.from({ length: 0x7c00 }, (_, bits) => f16BitsToF32(bits));
  function nearest(value: number): number {
    let low = 0;
    let high = all.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (all[middle]! <= value) low = middle;
      else high = middle;
    }
    const [below, above] = [value - all[low]!, all[high]! - value]; // exact: f64 has room
    return below < above || (below === above && low % 2 === 0) ? low : high;
  }

  test('values beside ties, which rounding twice would get wrong', () => {
    const ties = [1000, 0x3c00, 1, 0].map((i) => (all[i]! + all[i + 1]!) / 2);
    const values = ties.flatMap((tie) => [tie * (1 - 2 ** -40), tie, tie * (1 + 2 ** -40)]);
    const { bytes } = cast(bytesOf(Float64Array.from(values)), 'F64', 'F16');
    expect(halves(bytes)).toEqual(values.map(nearest));
    // One of them tells the two ways apart.
    const twice = cast(bytesOf(Float32Array.from(values)), 'F32', 'F16');
    expect(halves(twice.bytes)).not.toEqual(values.map(nearest));
  });

  test('random values of every size', () => {
    const next = uniform(7);
    const values = Array.from({ length: 5000 }, () => next() * 2 ** Math.floor(44 * next() - 28));
    const { bytes, beyond } = cast(bytesOf(Float64Array.from(values)), 'F64', 'F16');
    expect(halves(bytes)).toEqual(values.map(nearest));
    expect(beyond).toBeUndefined();
    const negative = cast(bytesOf(Float64Array.from(values, (v) => -v)), 'F64', 'F16');
    expect(halves(negative.bytes)).toEqual(values.map((v) => nearest(v) | 0x8000));
  });
});

test.each<[values: number[], beyond: number | undefined]>([
  [[65_504, 65_519.996], undefined],
  [[1, 65_520], 65_520],
  [[-70_000, 1e9], -70_000],
  [[Infinity, -Infinity, NaN], undefined],
])('f16 cannot hold of %j: %s', (values, beyond) => {
  const single = cast(bytesOf(Float32Array.from(values)), 'F32', 'F16');
  expect(single.beyond).toBe(beyond);
  expect(cast(bytesOf(Float64Array.from(values)), 'F64', 'F16').beyond).toBe(beyond);
});

test('f32 cannot hold every f64; a chunk may begin anywhere', () => {
  expect(cast(bytesOf(Float64Array.of(1, 1e300)), 'F64', 'F32').beyond).toBe(1e300);
  expect(cast(bytesOf(Float64Array.of(Infinity, 3e38)), 'F64', 'F32').beyond).toBeUndefined();
  const shifted = new Uint8Array(9);
  shifted.set(bytesOf(Float64Array.of(1 / 3)), 1);
  const { bytes } = cast(shifted.subarray(1), 'F64', 'F32');
  expect(new Float32Array(bytes.buffer)).toEqual(Float32Array.of(1 / 3));
});

test('bf16 and f16 widen to f32', () => {
  const values = Float32Array.of(-2.5, 3.140625);
  const brain = Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
  expect(new Float32Array(cast(bytesOf(brain), 'BF16', 'F32').bytes.buffer)).toEqual(values);
  expect(halves(cast(bytesOf(brain), 'BF16', 'F16').bytes)).toEqual([0xc100, 0x4248]);
  const wide = cast(bytesOf(Uint16Array.of(0xc100, 0x4248)), 'F16', 'F32');
  expect(new Float32Array(wide.bytes.buffer)).toEqual(values);
});
