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
import { type ByteSource, cutShort } from './source.ts';

/** Bits per element of every dtype the format knows, narrowest first. */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E5M2FNUZ: 8,
  F8_E4M3FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type FileDType = keyof typeof DTYPE_BITS;

/** Dtypes with a plain typed-array (or half.ts) reading; the others are refused by `readTensor`. */
const READABLE = new Set<FileDType>([
  'BOOL',
  'U8',
  'I8',
  'I16',
  'U16',
  'F16',
  'BF16',
  'I32',
  'U32',
  'F32',
  'I64',
  'U64',
  'F64',
]);

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

  const { metadata, entries } = parseHeader(decode(bytes, fail), fail);
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

/** What people hand over instead of a safetensors file. */
function mistakenFor(start: Uint8Array): string | undefined {
  const text = String.fromCharCode(...start.subarray(0, 64));
  if (text.startsWith('version https://git-lfs')) {
    return 'it is a Git LFS pointer; run `git lfs pull`, or download the file itself';
  }
  if (/^\s*</.test(text)) return 'it is a web page; download the file itself';
  if (text.startsWith('PK')) return 'it is a zip archive (PyTorch .pth?); convert it first';
  return undefined;
}

type Fail = (what: string) => never;

function decode(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('header is not UTF-8; download it again');
  }
}

interface RawEntry {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function parseHeader(text: string, fail: Fail) {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    return fail(`header is not JSON (${String(error)}); download it again`);
  }
  if (!text.startsWith('{') || !isRecord(header)) return fail('header is not a JSON object');
  const repeated = repeatedKey(text);
  if (repeated !== undefined) fail(`header has the key ${JSON.stringify(repeated)} twice`);

  const { __metadata__: metadata = {}, ...tensors } = header;
  if (!isStringMap(metadata)) return fail('__metadata__ is not a map of strings to strings');
  const entries = Object.entries(tensors).map(([name, value]) =>
    parseEntry(name, value, (what) => fail(`${name}: ${what}`)),
  );
  return { metadata, entries };
}

function parseEntry(name: string, value: unknown, fail: Fail): RawEntry {
  if (!isRecord(value)) return fail('its entry is not a JSON object');
  const { dtype, shape, data_offsets: offsets } = value;
  for (const key of Object.keys(value)) {
    if (!['dtype', 'shape', 'data_offsets'].includes(key)) fail(`unknown field "${key}"`);
  }
  if (typeof dtype !== 'string' || !isDType(dtype)) {
    return fail(
      `dtype is ${JSON.stringify(dtype)}, expected one of ${Object.keys(DTYPE_BITS).join(', ')}`,
    );
  }
  if (!isSizes(shape)) {
    return fail(`shape is ${JSON.stringify(shape)}, expected a list of non-negative integers`);
  }
  if (!isSizes(offsets)) {
    return fail(`data_offsets is ${JSON.stringify(offsets)}, expected [begin, end]`);
  }
  const [begin, end] = offsets;
  if (offsets.length !== 2 || begin === undefined || end === undefined || begin > end) {
    return fail(`data_offsets is ${JSON.stringify(offsets)}, expected [begin, end]`);
  }
  const bits = shape.reduce((n, d) => n * d, DTYPE_BITS[dtype]);
  if (!Number.isSafeInteger(bits)) return fail(`${dtype} [${shape.join(',')}] is too large`);
  if (bits % 8 !== 0) fail(`${dtype} [${shape.join(',')}] does not fill whole bytes`);
  if (end - begin !== bits / 8) {
    fail(
      `${dtype} [${shape.join(',')}] takes ${grouped(bits / 8)} bytes, data_offsets span ${grouped(end - begin)}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

const KEY_OR_STRING_OR_BRACE = /("[^"\\]*(?:\\.[^"\\]*)*")\s*:|"[^"\\]*(?:\\.[^"\\]*)*"|[{}]/g;

/**
 * The first key that one object of a valid JSON text has twice. In valid JSON a string followed by
 * a colon is a key, and braces outside strings nest.
 */
function repeatedKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, key] of text.matchAll(KEY_OR_STRING_OR_BRACE)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (key !== undefined) {
      const name = JSON.parse(key) as string; // resolves escapes: "a" and "\u0061" are one key
      const keys = open.at(-1);
      if (keys?.has(name)) return name;
      keys?.add(name);
    }
  }
  return undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isStringMap = (value: unknown): value is Record<string, string> =>
  isRecord(value) && Object.values(value).every((v) => typeof v === 'string');
const isSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= 0);
const isDType = (value: string): value is FileDType => Object.hasOwn(DTYPE_BITS, value);

const CHUNK_BYTES = 16 * 1024 * 1024;

/** A tensor's bytes in pieces of whole rows (first axis), at most 16 MiB unless one row is more. */
export async function* readChunks(
  source: ByteSource,
  { name, dtype, shape, offset, bytes }: TensorEntry,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (!READABLE.has(dtype)) {
    throw new CheckpointError(
      `${source.name}: ${name} is ${dtype}, which cannot be read; convert it to F16 or F32`,
    );
  }
  if (bytes === 0) return;
  const row = bytes / (shape[0] ?? 1);
  const step = row * Math.max(1, Math.floor(CHUNK_BYTES / row));
  for (let at = 0; at < bytes; at += step) {
    yield await source.read(offset + at, Math.min(step, bytes - at), signal);
  }
}

/** All bytes of a tensor, aligned to 8. */
export async function readTensor(
  source: ByteSource,
  entry: TensorEntry,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(entry.bytes);
  let at = 0;
  for await (const chunk of readChunks(source, entry, signal)) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
