/**
 * Writes the safetensors format: for `--dump`, fixtures and tests.
 *
 * In the reference library's order: tensors sorted by dtype (widest first, so that every tensor is
 * aligned to its element) and name, header padded with spaces to a multiple of 8.
 */
import { CheckpointError } from './error.ts';
import { DTYPE_BITS, type FileDType } from './safetensors-header.ts';

export interface TensorData {
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A file's beginning, and the tensors' names in the order in which their bytes follow. */
export function safetensorsHeader(
  tensors: ReadonlyMap<string, Omit<TensorData, 'bytes'>>,
  metadata: Readonly<Record<string, string>> = {},
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly names: readonly string[] } {
  const sorted = [...tensors].toSorted(
    ([nameA, a], [nameB, b]) => rank(b.dtype) - rank(a.dtype) || (nameA < nameB ? -1 : 1),
  );
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set('__metadata__', metadata);
  let end = 0;
  for (const [name, { dtype, shape }] of sorted) {
    const data_offsets = [end, (end += byteSize(dtype, shape))];
    header.set(name, { dtype, shape, data_offsets });
  }
  // Entry by entry: an object would move integer-like names to the front.
  const members = [...header].map(
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
  );
  const text = new TextEncoder().encode(`{${members.join(',')}}`);
  const bytes = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(text, 8);
  return { bytes, names: sorted.map(([name]) => name) };
}

/** The file's parts in order: for a Blob, a file stream, or `concatBytes`. The data is not copied. */
export function safetensorsParts(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer>[] {
  for (const [name, { dtype, shape, bytes }] of tensors) {
    const expected = byteSize(dtype, shape);
    if (bytes.length !== expected) {
      throw new CheckpointError(
        `${name}: ${dtype} [${shape.join(',')}] takes ${expected} bytes, got ${bytes.length}`,
      );
    }
  }
  const { bytes, names } = safetensorsHeader(tensors, metadata);
  return [bytes, ...names.flatMap((name) => tensors.get(name)?.bytes ?? [])];
}

const byteSize = (dtype: FileDType, shape: readonly number[]): number =>
  shape.reduce((n, d) => n * d, DTYPE_BITS[dtype]) / 8;

const DTYPES = Object.keys(DTYPE_BITS);
const rank = (dtype: FileDType): number => DTYPES.indexOf(dtype);

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
