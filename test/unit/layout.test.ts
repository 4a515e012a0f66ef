import { describe, expect, test } from 'vitest';
import { byteLength, type Shape, sizeOf } from '../../src/engine/kernel.ts';
import { toHalf, toSingle } from '../../src/weights/half.ts';
import {
  convert,
  type Layout,
  layoutType,
  type RawTensor,
  type WeightDType,
} from '../../src/weights/layout.ts';
import type { FileDType } from '../../src/weights/safetensors-header.ts';
import { normal } from '../harness/random.ts';
import { roundF16 } from '../harness/half.ts';

const pad4 = (n: number) => Math.ceil(n / 4) * 4;

/** The definition, element by element: value of the kernel layout at an index, from the values. */
function naive(layout: Layout, shape: Shape, values: Float32Array): Float32Array {
  const [o = 1, i = 1, kh = 1, kw = 1] = shape;
  const at = (oc: number, ic: number, y: number, x: number) =>
    oc < o && ic < i ? values[((oc * i + ic) * kh + y) * kw + x]! : 0;
  const result: number[] = [];
  switch (layout) {
    case 'vector':
      for (let c = 0; c < pad4(o); c++) result.push(c < o ? values[c]! : 0);
      break;
    case 'rows': {
      const c = shape.at(-1)!;
      for (let r = 0; r < values.length / c; r++) {
        for (let k = 0; k < pad4(c); k++) result.push(k < c ? values[r * c + k]! : 0);
      }
      break;
    }
    case 'linear':
    case 'conv':
      for (let y = 0; y < kh; y++)
        for (let x = 0; x < kw; x++)
          for (let ic = 0; ic < pad4(i); ic++)
            for (let oc = 0; oc < pad4(o); oc++) result.push(at(oc, ic, y, x));
      break;
    case 'phase': {
      const taps = [
        [[0], [1, 2]],
        [[0, 1], [2]],
      ];
      for (const phaseY of taps)
        for (const phaseX of taps)
          for (const ys of phaseY)
            for (const xs of phaseX)
              for (let ic = 0; ic < pad4(i); ic++)
                for (let oc = 0; oc < pad4(o); oc++) {
                  let sum = 0;
                  for (const y of ys) for (const x of xs) sum = Math.fround(sum + at(oc, ic, y, x));
                  result.push(sum);
                }
    }
  }
  return Float32Array.from(result);
}

function raw(dtype: FileDType, shape: Shape, values: Float32Array): RawTensor {
  const bytes =
    dtype === 'F16'
      ? new Uint8Array(toHalf(values).buffer)
      : dtype === 'BF16'
        ? new Uint8Array(
            Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16).buffer,
          )
        : dtype === 'F64'
          ? new Uint8Array(Float64Array.from(values).buffer)
          : new Uint8Array(values.slice().buffer);
  // As a file delivers it: anywhere in a larger buffer.
  const file = new Uint8Array(bytes.length + 3);
  file.set(bytes, 3);
  return { name: 'x.weight', dtype, shape, bytes: file.subarray(3) };
}

/** Values that every file dtype holds exactly: bf16 with an f16 exponent. */
function exact(shape: Shape): Float32Array {
  const values = normal(sizeOf(shape), sizeOf(shape));
  const words = new Uint32Array(values.buffer);
  for (const [k, word] of words.entries()) words[k] = word & 0xffff_0000;
  return values.map((v) => (Math.abs(v) < 2 ** -10 ? 0.5 : v));
}

const decode = (dtype: 'f32' | 'f16' | 'u32', bytes: Uint8Array<ArrayBuffer>): Float32Array =>
  dtype === 'f16'
    ? toSingle(new Uint16Array(bytes.slice().buffer))
    : new Float32Array(bytes.slice().buffer);

const SHAPES: readonly [Layout, ...Shape[]][] = [
  ['vector', [1], [4], [7], [320]],
  ['rows', [3], [1, 77, 64], [2, 3, 5], [1, 1]],
  // 33, 70: across the 32-wide blocks of the transposition
  ['linear', [1, 1], [4, 8], [5, 3], [33, 70], [70, 33], [64, 32], [8, 6, 1, 1]],
  ['conv', [4, 3, 3, 3], [3, 4, 3, 3], [33, 5, 3, 3], [40, 36, 1, 1], [8, 8, 3, 1], [6, 2, 2, 3]],
  ['phase', [4, 4, 3, 3], [5, 3, 3, 3], [36, 8, 3, 3]],
];
const CASES = SHAPES.flatMap(([layout, ...shapes]) =>
  shapes.map((shape) => [layout, shape] as const),
);

describe.each(CASES)('%s %j', (layout, shape) => {
  const values = exact(shape);
  const expected = naive(layout, shape, values);
  for (const from of ['F32', 'F16', 'BF16', 'F64'] as const) {
    for (const to of ['f32', 'f16'] as const satisfies WeightDType[]) {
      test(`${from} → ${to}`, () => {
        const type = layoutType(layout, to, shape);
        const bytes = convert(layout, to, raw(from, shape, values));
        expect(bytes.length).toBe(byteLength(type));
        expect(bytes.length % 4).toBe(0);
        expect(type.dtype).toBe(layout === 'vector' ? 'f32' : to);
        const result = decode(type.dtype, bytes);
        // Only sums of taps round on the way to f16; everything else is exact.
        expect(result).toEqual(type.dtype === 'f16' ? roundF16(expected) : expected);
      });
    }
  }
});

test('types', () => {
  expect(layoutType('linear', 'f16', [5, 3])).toEqual({ dtype: 'f16', shape: [4, 8] });
  expect(layoutType('conv', 'f16', [8, 3, 3, 3])).toEqual({ dtype: 'f16', shape: [3, 3, 4, 8] });
  expect(layoutType('phase', 'f32', [8, 3, 3, 3]).shape).toEqual([2, 2, 2, 2, 4, 8]);
  expect(layoutType('rows', 'f16', [1, 77, 30]).shape).toEqual([1, 77, 32]);
});

test('f16 bits are moved, not converted: NaN payloads and -0 stay', () => {
  const bits = Uint16Array.of(0x7e01, 0xfc00, 0x8000, 0x0001);
  const bytes = new Uint8Array(bits.buffer);
  const result = convert('linear', 'f16', { name: 'x', dtype: 'F16', shape: [4, 1], bytes });
  expect([...new Uint16Array(result.buffer, 0, 4)]).toEqual([...bits]);
});

const tensor = (values: number[], dtype: FileDType = 'F32') =>
  raw(dtype, [values.length], Float32Array.from(values));

describe('refused', () => {
  test('f32 beyond f16, naming the tensor; up to 65519 is fine', () => {
    expect(() => convert('rows', 'f16', tensor([1, 2, -65520, 4]))).toThrow(
      /^x\.weight: element 2 is -65520, f16 ends at ±65504; the weights are damaged or need f32$/,
    );
    expect(decode('f16', convert('rows', 'f16', tensor([65519, -65519, 0, 0])))[0]).toBe(65504);
    expect(decode('f32', convert('rows', 'f32', tensor([65520])))[0]).toBe(65520);
  });

  test('integers', () => {
    expect(() => convert('vector', 'f32', tensor([1], 'I32'))).toThrow(
      /^x\.weight is I32, expected F16, BF16, F32, F64$/,
    );
  });

  test.each<[Layout, Shape, RegExp]>([
    ['vector', [2, 2], /^vector: shape is \[2,2\], expected \[C\]$/],
    ['linear', [2, 2, 3, 3], /^linear: shape is \[2,2,3,3\], expected \[N,K\] or \[N,K,1,1\]$/],
    ['conv', [2, 2], /^conv: shape is \[2,2\], expected \[O,I,KH,KW\]$/],
    ['phase', [2, 2, 1, 1], /^phase: shape is \[2,2,1,1\], expected \[O,I,3,3\]$/],
    ['rows', [], /^rows: shape is \[\], expected \[\.\.\.,C\]$/],
  ])('%s of %j', (layout, shape, message) => {
    expect(() => layoutType(layout, 'f16', shape)).toThrow(message);
  });
});
