/**
 * The directory of a zip file, read by ranges: `torch.save` writes one with every entry stored.
 *
 *   local header | data | … | directory | [zip64 end, its locator] | end
 *
 * Sizes and places come from the directory at the end of the file; the local headers, which say
 * where the data begins, are read when it is. Refused: entries that are compressed, encrypted, in
 * another file, outside this one or over another's bytes, and names that come twice. CRCs are not
 * compared: a ranged read has no whole entry to sum up, and torch can be told to write none.
 *
 * Format: PKWARE APPNOTE 6.3.9, sections 4.3.7 to 4.3.16 and 4.5.3.
 */
import { CheckpointError, grouped } from './error.ts';
import { printable } from './printable.ts';
import type { Fail } from './safetensors-header.ts';
import type { ByteSource } from './source.ts';

export interface ZipEntry {
  readonly bytes: number;
  /** Where its data begins in the file. Reads the local header, once. */
  locate(signal?: AbortSignal): Promise<number>;
}

const SIGNATURE = { local: 0x04034b50, entry: 0x02014b50, end: 0x06054b50 } as const;
const SIGNATURE64 = { end: 0x06064b50, locator: 0x07064b50 } as const;
const SIZE = { local: 30, entry: 46, end: 22, end64: 56, locator: 20 } as const;
const MAX_COMMENT = 0xffff;
/** Over 100,000 entries of torch.save; a full-size UNet has 686 tensors. */
const MAX_DIRECTORY_BYTES = 16 * 1024 * 1024;

/** The entries by name, in the directory's order. */
export async function readZip(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, ZipEntry>> {
  const fail: Fail = (what) => {
    throw new CheckpointError(`${source.name}: ${what}`);
  };
  const directory = await findDirectory(source, fail, signal);
  const bytes = await source.read(directory.offset, directory.bytes, signal);
  const rows = parseDirectory(bytes, directory.count, fail);
  refuseOverlaps(rows, directory.offset, fail);
  const entries = new Map<string, ZipEntry>();
  for (const row of rows) {
    if (entries.has(row.name)) fail(`its zip directory has ${printable(row.name)} twice`);
    let place: number | undefined;
    entries.set(row.name, {
      bytes: row.bytes,
      locate: async (asked) => (place ??= await locate(source, row, fail, asked)),
    });
  }
  return entries;
}

interface Directory {
  readonly offset: number;
  readonly bytes: number;
  readonly count: number;
}

async function findDirectory(
  source: ByteSource,
  fail: Fail,
  signal: AbortSignal | undefined,
): Promise<Directory> {
  const size = await source.size();
  const tailBytes = Math.min(size, SIZE.end + MAX_COMMENT + SIZE.locator + SIZE.end64);
  const tail = viewOf(await source.read(size - tailBytes, tailBytes, signal));
  let at = tailBytes - SIZE.end;
  // A comment may hold the signature too: the true one is as far from the end as it says.
  while (
    at >= 0 &&
    !(
      tail.getUint32(at, true) === SIGNATURE.end &&
      at + SIZE.end + tail.getUint16(at + 20, true) === tailBytes
    )
  ) {
    at--;
  }
  if (at < 0) {
    return fail(
      `begins as a zip archive but has no zip directory at its end (${grouped(size)} bytes): cut short; download it again`,
    );
  }
  let end = size - tailBytes + at;
  let disks = tail.getUint16(at + 4, true) + tail.getUint16(at + 6, true);
  let directory: Directory = {
    count: tail.getUint16(at + 10, true),
    bytes: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
  const hasLocator =
    end >= SIZE.locator + SIZE.end64 &&
    tail.getUint32(at - SIZE.locator, true) === SIGNATURE64.locator;
  if (hasLocator) {
    end = u64(tail, at - SIZE.locator + 8);
    if (end + SIZE.end64 > size) fail('its zip64 directory record lies outside the file');
    const record = viewOf(await source.read(end, SIZE.end64, signal));
    if (record.getUint32(0, true) !== SIGNATURE64.end)
      fail('its zip64 directory record is damaged');
    disks = record.getUint32(16, true) + record.getUint32(20, true);
    directory = { count: u64(record, 32), bytes: u64(record, 40), offset: u64(record, 48) };
  }
  if (disks !== 0) fail('is one part of a zip archive in several files');
  if (directory.offset + directory.bytes > end) fail('its zip directory lies outside the file');
  if (directory.bytes > MAX_DIRECTORY_BYTES) {
    fail(
      `its zip directory has ${grouped(directory.bytes)} bytes, the limit is ${grouped(MAX_DIRECTORY_BYTES)}`,
    );
  }
  return directory;
}

interface Row {
  readonly name: string;
  readonly rawName: Uint8Array;
  readonly bytes: number;
  /** Of the local header. */
  readonly offset: number;
  /** The least that the local header and the data can take. */
  readonly end: number;
  /** Where the next entry, or the directory, begins. */
  limit: number;
}

function parseDirectory(bytes: Uint8Array, count: number, fail: Fail): Row[] {
  const view = viewOf(bytes);
  const rows: Row[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const damaged = at + SIZE.entry > bytes.length || view.getUint32(at, true) !== SIGNATURE.entry;
    if (damaged) return fail(`its zip directory is damaged at entry ${i + 1} of ${count}`);
    const nameEnd = at + SIZE.entry + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const end = extraEnd + view.getUint16(at + 32, true);
    if (end > bytes.length) {
      return fail(`its zip directory is damaged at entry ${i + 1} of ${count}`);
    }
    const rawName = bytes.slice(at + SIZE.entry, nameEnd);
    const name = new TextDecoder().decode(rawName);
    const shown = printable(name);
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    if ((flags & 0x2041) !== 0)
      fail(`${shown} is encrypted; save the checkpoint without a password`);
    if (method !== 0) {
      fail(`${shown} is compressed, torch.save stores its data as it is; save it with torch.save`);
    }
    const wide = widened(view, at, nameEnd, extraEnd);
    if (!wide) return fail(`its zip directory is damaged at ${shown}`);
    if (wide.stored !== wide.bytes)
      fail(`${shown} has two sizes, ${wide.stored} and ${wide.bytes}`);
    const least = wide.offset + SIZE.local + rawName.length + wide.bytes;
    rows.push({ name, rawName, bytes: wide.bytes, offset: wide.offset, end: least, limit: 0 });
    at = end;
  }
  return rows;
}

/** An entry's numbers: those that do not fit 32 bits are in its zip64 field, in this order. */
function widened(view: DataView, entry: number, extra: number, extraEnd: number) {
  let at = extra;
  let end = extra;
  for (let field = extra; field + 4 <= extraEnd;) {
    const next = field + 4 + view.getUint16(field + 2, true);
    if (next > extraEnd) return undefined;
    if (view.getUint16(field, true) === 1) [at, end] = [field + 4, next];
    field = next;
  }
  const wide = (position: number): number => {
    const narrow = view.getUint32(position, true);
    if (narrow !== 0xffff_ffff) return narrow;
    if (at + 8 > end) return Number.NaN;
    at += 8;
    return u64(view, at - 8);
  };
  const bytes = wide(entry + 24);
  const stored = wide(entry + 20);
  const offset = wide(entry + 42);
  return Number.isNaN(bytes + stored + offset) ? undefined : { bytes, stored, offset };
}

function refuseOverlaps(rows: readonly Row[], directory: number, fail: Fail): void {
  const sorted = rows.toSorted((a, b) => a.offset - b.offset);
  for (const [i, row] of sorted.entries()) {
    const next = sorted[i + 1];
    row.limit = next?.offset ?? directory;
    if (row.end <= row.limit) continue;
    fail(
      next
        ? `${printable(row.name)} and ${printable(next.name)} overlap in the file`
        : `${printable(row.name)} ends at byte ${grouped(row.end)}, behind the ${grouped(directory)} bytes that hold data`,
    );
  }
}

async function locate(
  source: ByteSource,
  { name, rawName, bytes, offset, limit }: Row,
  fail: Fail,
  signal: AbortSignal | undefined,
): Promise<number> {
  const header = await source.read(offset, SIZE.local + rawName.length, signal);
  const view = viewOf(header);
  const sameName =
    view.getUint16(26, true) === rawName.length &&
    rawName.every((byte, i) => header[SIZE.local + i] === byte);
  if (view.getUint32(0, true) !== SIGNATURE.local || view.getUint16(8, true) !== 0 || !sameName) {
    fail(`${printable(name)} is not where the zip directory says; download it again`);
  }
  const start = offset + SIZE.local + rawName.length + view.getUint16(28, true);
  if (start + bytes > limit)
    fail(`${printable(name)} runs over what follows it; download it again`);
  return start;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Rounded above 2^53: such a number is outside any file, and refused as that. */
const u64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));
