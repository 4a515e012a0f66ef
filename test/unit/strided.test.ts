import { describe, expect, test } from 'vitest';
import { CHUNK_BYTES, chunksOf } from '../../src/weights/tensor-reads.ts';
import { bytesSource, type ByteSource } from '../../src/weights/source.ts';
import { isContiguous, readStrided, spanOf } from '../../src/weights/strided.ts';
import { uniform } from '../harness/random.ts';

/** The view's elements one by one, by the formula. */
function naive(
  storage: Int32Array,
  offset: number,
  shape: readonly number[],
  stride: readonly number[],
): Int32Array {
  const count = shape.reduce((n, d) => n * d, 1);
  return Int32Array.from({ length: count }, (_, flat) => {
    let at = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (flat % shape[axis]!) * stride[axis]!;
      flat = Math.floor(flat / shape[axis]!);
    }
    return storage[at]!;
  });
}

async function read(
  source: ByteSource,
  offset: number,
  shape: readonly number[],
  stride: readonly number[],
): Promise<{ values: Int32Array; chunks: number[] }> {
  const bytes = 4 * shape.reduce((n, d) => n * d, 1);
  const whole = new Uint8Array(bytes);
  const chunks: number[] = [];
  const view = { shape, stride, start: 4 * offset, bytes, elementBytes: 4 };
  let at = 0;
  const part = (begin: number, length: number) => readStrided(source, view, { begin, length });
  for await (const chunk of chunksOf({ ...view, part })) {
    whole.set(chunk, at);
    at += chunk.length;
    chunks.push(chunk.length);
  }
  // Any other part is the same bytes.
  const begin = Math.floor(bytes / 3);
  const length = Math.min(5, bytes - begin);
  expect(await part(begin, length)).toEqual(whole.slice(begin, begin + length));
  expect(at).toBe(bytes);
  return { values: new Int32Array(whole.buffer), chunks };
}

const counting = (length: number): Int32Array<ArrayBuffer> =>
  Int32Array.from({ length }, (_, i) => i);
const sourceOf = (storage: Int32Array<ArrayBuffer>): ByteSource =>
  bytesSource('x', new Uint8Array(storage.buffer));

test('500 random views are what the formula says', async () => {
  const next = uniform(20_260_101);
  const below = (limit: number) => Math.floor(next() * limit);
  for (let round = 0; round < 500; round++) {
    const shape = Array.from({ length: below(5) }, () => below(5));
    const stride = shape.map(() => below(9));
    const offset = below(6);
    const storage = counting(offset + spanOf(shape, stride));
    const { values } = await read(sourceOf(storage), offset, shape, stride);
    expect(values, `${String(shape)} ${String(stride)}`).toEqual(
      naive(storage, offset, shape, stride),
    );
  }
});

test.each<[shape: number[], stride: number[], contiguous: boolean]>([
  [[2, 3], [3, 1], true],
  [[2, 3], [1, 2], false],
  [[2, 1, 3], [3, 99, 1], true],
  [[1, 3], [99, 1], true],
  [[3], [2], false],
  [[3], [0], false],
  [[1], [0], true],
  [[], [], true],
  [[0, 3], [7, 1], true],
])('%j with strides %j: contiguous %s', (shape, stride, contiguous) => {
  expect(isContiguous(shape, stride)).toBe(contiguous);
});

describe('larger than a chunk', () => {
  const side = 3000; // 36 MB: three windows, three chunks
  const storage = counting(side * side);

  test.each<[string, shape: number[], stride: number[]]>([
    ['transposed', [side, side], [1, side]],
    ['every second column', [side, side / 2], [side, 2]],
  ])('%s', async (_, shape, stride) => {
    let largest = 0;
    const inner = sourceOf(storage);
    const source: ByteSource = {
      ...inner,
      read: (offset, length) => {
        largest = Math.max(largest, length);
        return inner.read(offset, length);
      },
    };
    const { values, chunks } = await read(source, 0, shape, stride);
    // Not toEqual: it takes minutes for millions of elements.
    const expected = naive(storage, 0, shape, stride);
    expect(Buffer.from(values.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    expect(chunks.length).toBeGreaterThan(1);
    for (const chunk of chunks) expect(chunk % (4 * shape[1]!)).toBe(0);
    expect(Math.max(...chunks, largest)).toBeLessThanOrEqual(CHUNK_BYTES);
  });
});
