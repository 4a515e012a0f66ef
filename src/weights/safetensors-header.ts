/** The JSON header of a safetensors file: parsed, and every field of every entry checked. */
import { grouped } from './error.ts';

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

/** Throws with the file's name before the text. */
export type Fail = (what: string) => never;

function decode(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('header is not UTF-8; download it again');
  }
}

/** A tensor's entry; `begin` and `end` count from the end of the header. */
interface RawEntry {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface RawHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: readonly RawEntry[];
}

export function parseHeader(bytes: Uint8Array, fail: Fail): RawHeader {
  const text = decode(bytes, fail);
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
