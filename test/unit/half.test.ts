import { describe, expect, test } from 'vitest';
import { holdsBeyond } from '../../src/weights/f16-range.ts';
import {
  bf16ToSingle,
  f16BitsToF32,
  f32ToF16Bits,
  toHalf,
  toSingle,
} from '../../src/weights/half.ts';
import { openGolden } from '../harness/goldens.ts';

const everyPattern = Uint16Array.from({ length: 0x1_0000 }, (_, bits) => bits);
const isNaN16 = (bits: number) => (bits & 0x7fff) > 0x7c00;

/** The next f32 towards ±infinity. */
function beyond(value: number, steps: number): number {
  const bits = new Int32Array(new Float32Array([value]).buffer);
  bits[0]! += steps;
  return new Float32Array(bits.buffer)[0]!;
}

describe('f16', () => {
  test('every pattern survives the way through f32, one by one and in bulk', () => {
    const values = toSingle(everyPattern);
    const back = toHalf(values);
    const wrong = everyPattern.filter((bits) => {
      const value = f16BitsToF32(bits);
      if (isNaN16(bits)) {
        return !(Number.isNaN(value) && Number.isNaN(values[bits]) && isNaN16(back[bits]!));
      }
      return !(
        Object.is(values[bits], value) &&
        back[bits] === bits &&
        f32ToF16Bits(value) === bits
      );
    });
    expect([...wrong]).toEqual([]);
  });

  test('between every two neighbours: halves go to even, anything else to the nearer', () => {
    const wrong: string[] = [];
    for (let bits = 0; bits < 0x7c00; bits++) {
      const low = f16BitsToF32(bits);
      // 65536 stands where infinity begins: 65520 is the midpoint
      const high = bits === 0x7bff ? 65536 : f16BitsToF32(bits + 1);
      const middle = (low + high) / 2; // exact in f32
      const even = bits % 2 === 0 ? bits : bits + 1;
      for (const [value, expected] of [
        [middle, even],
        [beyond(middle, -1), bits],
        [beyond(middle, 1), bits + 1],
        [-middle, even | 0x8000],
        [beyond(-middle, -1), bits | 0x8000],
        [beyond(-middle, 1), (bits + 1) | 0x8000],
      ] as const) {
        const actual = f32ToF16Bits(value);
        if (actual !== expected) wrong.push(`${value} → ${actual}, expected ${expected}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('golden vectors', async () => {
    const golden = await openGolden('kernels/f16_rounding');
    const { data } = golden.f32('f32_inf');
    const bits = golden.at('f16_bits').data as Uint16Array;
    expect(data.length).toBeGreaterThan(200);
    expect([...toHalf(data)]).toEqual([...bits]);
    expect([...data].map(f32ToF16Bits)).toEqual([...bits]);
  });
});

test('bf16 is the upper half of an f32', () => {
  const float = new Float32Array(1);
  const word = new Uint32Array(float.buffer);
  const values = bf16ToSingle(everyPattern);
  const wrong = everyPattern.filter((bits) => {
    word[0] = bits << 16;
    return !Object.is(values[bits], float[0]);
  });
  expect([...wrong]).toEqual([]);
});

describe('what f16 may not hold', () => {
  const bytesOf = (dtype: string, value: number): Uint8Array<ArrayBuffer> => {
    const single = new Float32Array([0, value]);
    if (dtype === 'F32') return new Uint8Array(single.buffer);
    if (dtype === 'F16') return new Uint8Array(toHalf(single).buffer);
    return new Uint8Array(
      Uint16Array.from(new Uint32Array(single.buffer), (word) => word >>> 16).buffer,
    );
  };

  // bf16 has no value between 65280 and 65536, nor between 16320 and 16384.
  test.each([
    ['F32', 1, beyond(65520, -1), 65520],
    ['F32', 4, 16376, beyond(16376, 1)],
    ['BF16', 1, 65280, 65536],
    ['BF16', 4, 16320, 16384],
    ['F16', 4, 16376, 16384],
  ] as const)('%s, sums of %i: %d passes, %d does not', (dtype, terms, passes, fails) => {
    for (const sign of [1, -1]) {
      expect(holdsBeyond(bytesOf(dtype, sign * passes), dtype, terms)).toBe(false);
      expect(holdsBeyond(bytesOf(dtype, sign * fails), dtype, terms)).toBe(true);
    }
    expect(f32ToF16Bits(terms * passes) & 0x7fff).toBeLessThan(0x7c00);
  });

  test('f16 that is moved, and types that others refuse', () => {
    expect(holdsBeyond(bytesOf('F16', Infinity), 'F16', 1)).toBe(false);
    expect(holdsBeyond(new Uint8Array(8).fill(255), 'I64', 1)).toBe(false);
  });
});
