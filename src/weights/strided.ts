/**
 * Reads a strided view of a storage in row-major order: transposed, stepped, broadcast, or plain.
 *
 *   element [i, j, …] = storage[offset + i·stride[0] + j·stride[1] + …]
 *
 * A contiguous view is one range of the file. Any other is gathered: the storage passes by in
 * windows of at most 16 MiB, once for every part that is asked for, and each window leaves its
 * elements there. So memory stays bounded, whatever the strides.
 */
import { CHUNK_BYTES } from './tensor-reads.ts';
import type { ByteSource } from './source.ts';

export interface StridedTensor {
  readonly shape: readonly number[];
  /** In elements. */
  readonly stride: readonly number[];
  /** Of element [0, 0, …], in bytes from the start of the file. */
  readonly start: number;
  /** Of the whole tensor, in row-major order. */
  readonly bytes: number;
  readonly elementBytes: number;
}

/** Whether the elements follow each other in memory; axes of one element have no say. */
export function isContiguous(shape: readonly number[], stride: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size === 0) return true;
    if (size !== 1 && stride[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Elements from the first to the last that a view touches; 0 where it has none. */
export function spanOf(shape: readonly number[], stride: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((span, size, axis) => span + (size - 1) * (stride[axis] ?? 0), 1);
}

/** Some bytes of a view, by their place in its row-major order. */
export async function readStrided(
  source: ByteSource,
  { shape, stride, bytes, start, elementBytes }: StridedTensor,
  part: { readonly begin: number; readonly length: number },
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const { begin, length } = part;
  if (isContiguous(shape, stride)) return source.read(start + begin, length, signal);
  const [rows = 1, ...inner] = shape;
  const row = bytes / rows;
  const first = Math.floor(begin / row);
  const block = {
    shape: [Math.ceil((begin + length) / row) - first, ...inner],
    stride,
    start: start + first * (stride[0] ?? 0) * elementBytes,
    elementBytes,
  };
  const from = begin - first * row;
  return (await gather(source, block, signal)).subarray(from, from + length);
}

type Block = Pick<StridedTensor, 'shape' | 'stride' | 'start' | 'elementBytes'>;

async function gather(
  source: ByteSource,
  { shape, stride, start, elementBytes }: Block,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const result = new Uint8Array(shape.reduce((n, d) => n * d, elementBytes));
  // Of the part of the view behind each axis: elements it has, and elements it spans in storage.
  const counts = shape.map((_, axis) => shape.slice(axis + 1).reduce((n, d) => n * d, 1));
  const spans = shape.map((_, axis) => spanOf(shape.slice(axis), stride.slice(axis)));
  const total = spanOf(shape, stride);
  const window = CHUNK_BYTES / elementBytes;

  for (let low = 0; low < total; low += window) {
    const high = Math.min(low + window, total);
    const bytes = await source.read(
      start + low * elementBytes,
      (high - low) * elementBytes,
      signal,
    );
    const copy = (axis: number, from: number, to: number): void => {
      if (from >= high || from + (spans[axis] ?? 1) <= low) return;
      if (axis === shape.length) {
        const at = (from - low) * elementBytes;
        for (let i = 0; i < elementBytes; i++) result[to * elementBytes + i] = bytes[at + i] ?? 0;
        return;
      }
      const size = shape[axis] ?? 1;
      for (let i = 0; i < size; i++) {
        copy(axis + 1, from + i * (stride[axis] ?? 0), to + i * (counts[axis] ?? 1));
      }
    };
    copy(0, 0, 0);
  }
  return result;
}
