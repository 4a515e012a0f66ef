/**
 * The safetensors format: `u64 header size | JSON header | tensor bytes`, little-endian.
 *
 *   { "__metadata__": { string: string }, name: { dtype, shape, data_offsets: [begin, end] }, … }
 *
 * `readHeader` refuses whatever the reference (huggingface/safetensors, `SafeTensors::deserialize`)
 * refuses, and repeated keys, which the format forbids and JSON.parse would hide. A header that
 * passes describes every byte of the file exactly once, so a truncated download fails here with the
 * file's name and not as noise in the picture.
 */
import { CheckpointError, grouped } from './error.ts';
import type { StoredTensor } from './pth.ts';
import { type FileDType, parseHeader } from './safetensors-header.ts';
import { type ByteSource, cutShort, readInto } from './source.ts';

export interface TensorEntry {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export type TensorIndex = ReadonlyMap<string, TensorEntry>;

export interface Header {
  readonly tensors: TensorIndex;
  readonly metadata: Readonly<Record<string, string>>;
}

const MAX_HEADER_BYTES = 100_000_000;
/** Enough for the header of every model of this project in one read. */
const FIRST_READ_BYTES = 128 * 1024;

export async function readHeader(source: ByteSource, signal?: AbortSignal): Promise<Header> {
  const fail = (what: string): never => {
    throw new CheckpointError(`${source.name}: ${what}`);
  };
  const size = await source.size();
  if (size < 8) fail(`has ${size} bytes, a safetensors file has at least 8; download it again`);

  const start = await source.read(0, Math.min(size, FIRST_READ_BYTES), signal);
  const length = Number(new DataView(start.buffer, start.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    fail(
      `is no safetensors file: ${mistakenFor(start) ?? `its header would be ${grouped(length)} bytes, the limit is ${grouped(MAX_HEADER_BYTES)}`}`,
    );
  }
  if (8 + length > size) throw cutShort(source.name, 8 + length, size);
  const bytes =
    8 + length <= start.length
      ? start.subarray(8, 8 + length)
      : await source.read(8, length, signal);

  const { metadata, entries } = parseHeader(bytes, fail);
  const dataStart = 8 + length;
  let end = 0;
  const tensors = new Map<string, TensorEntry>();
  const byOffset = entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  for (const { name, dtype, shape, begin, end: stop } of byOffset) {
    if (begin !== end) {
      fail(
        `${name} starts at byte ${begin} of the data, expected ${end}: gaps and overlaps are not allowed`,
      );
    }
    end = stop;
    tensors.set(name, { name, dtype, shape, offset: dataStart + begin, bytes: stop - begin });
  }
  if (dataStart + end > size) {
    fail(
      `cut short: header says ${grouped(dataStart + end)} bytes, file has ${grouped(size)}; download it again`,
    );
  }
  if (dataStart + end < size) {
    fail(
      `has ${grouped(size - dataStart - end)} bytes after the last tensor: header says ${grouped(dataStart + end)} bytes, file has ${grouped(size)}; download it again`,
    );
  }
  return { tensors, metadata };
}

/** What people hand over instead of a checkpoint, from its first 64 bytes. */
export function mistakenFor(start: Uint8Array): string | undefined {
  const text = String.fromCharCode(...start.subarray(0, 64));
  if (text.startsWith('version https://git-lfs')) {
    return 'it is a Git LFS pointer; run `git lfs pull`, or download the file itself';
  }
  if (/^\s*</.test(text)) return 'it is a web page; download the file itself';
  if (text.startsWith('PK'))
    return 'it is a zip archive (PyTorch .pth?); `invsr weights convert` makes safetensors of it';
  return undefined;
}

/** A tensor as checkpoints of either kind have it. */
export const stored = (source: ByteSource, entry: TensorEntry): StoredTensor => ({
  ...entry,
  part: (begin, length, signal) => source.read(entry.offset + begin, length, signal),
  fill: (begin, target, signal) => readInto(source, entry.offset + begin, target, signal),
});
