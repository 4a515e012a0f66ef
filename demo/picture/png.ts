/**
 * A PNG file, written row by row: however large it is, only one row is held beside the compressed bytes,
 * and those go to a Blob, which browsers keep out of the way. https://www.w3.org/TR/png-3/
 *
 *   file   signature, IHDR, sRGB, further chunks, IDAT …, IEND
 *   chunk  length u32, type, data, crc32 of type and data
 *   IDAT   deflate of all rows, each of them one byte for its filter, then bytes v − predicted
 *
 * Every row has filter 4 (Paeth), the best of the five for photos: choosing for each row would cost more
 * time than it saves bytes.
 */
import type { Size } from '../state/regions.ts';

export interface PngOptions extends Size {
  /** Of 8 bits: RGB or RGBA, in sRGB. */
  readonly channels: 3 | 4;
  /** Between the header and the pixels. */
  readonly chunks?: readonly Uint8Array<ArrayBuffer>[];
}

export interface PngWriter {
  /** The next rows, `width · channels` bytes each; taken when the promise resolves. */
  write(rows: Uint8Array): Promise<void>;
  /** After the last row. */
  finish(): Promise<Blob>;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Of each byte, of polynomial EDB88320, reflected. */
const CRCS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});
const PAETH = 4;
/** Compressed bytes that are gathered before they become a Blob. */
const GATHERED = 2 ** 22;

export function createPng({ width, height, channels, chunks = [] }: PngOptions): PngWriter {
  const stride = width * channels;
  const type = 'image/png';
  const perceptual = pngChunk('sRGB', Uint8Array.of(0)); // as cameras say
  let parts: BlobPart[] = [SIGNATURE, header({ width, height }, channels), perceptual, ...chunks];
  let gathered = 0;
  const compression = new CompressionStream('deflate');
  const compressed = compression.readable.pipeTo(
    new WritableStream<Uint8Array>({
      write(data) {
        parts.push(pngChunk('IDAT', data));
        gathered += data.length;
        if (gathered < GATHERED) return;
        parts = [new Blob(parts)];
        gathered = 0;
      },
    }),
  );
  const writer = compression.writable.getWriter();
  let above = new Uint8Array(stride);
  let rowsLeft = height;
  return {
    async write(rows) {
      for (let at = 0; at < rows.length; at += stride) {
        const row = rows.slice(at, at + stride);
        await writer.write(filtered(row, above, channels));
        above = row;
        rowsLeft--;
      }
    },
    async finish() {
      if (rowsLeft !== 0) throw new Error(`${rowsLeft} of ${height} rows are missing`);
      await Promise.all([writer.close(), compressed]);
      return new Blob([...parts, pngChunk('IEND', new Uint8Array())], { type });
    },
  };
}

export function pngChunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(
    Uint8Array.from(type, (c) => c.charCodeAt(0)),
    4,
  );
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function header({ width, height }: Size, channels: 3 | 4): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(13);
  const view = new DataView(data.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  data.set([8, channels === 4 ? 6 : 2], 8); // bits, colour type; no interlace
  return pngChunk('IHDR', data);
}

/** `row` minus what left, above and above left of each byte let expect; the first pixel has only what is above. */
function filtered(row: Uint8Array, above: Uint8Array, channels: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(1 + row.length);
  bytes[0] = PAETH;
  for (let i = 0; i < row.length; i++) {
    const a = i < channels ? 0 : (row[i - channels] ?? 0);
    const b = above[i] ?? 0;
    const c = i < channels ? 0 : (above[i - channels] ?? 0);
    const byA = Math.abs(b - c);
    const byB = Math.abs(a - c);
    const byC = Math.abs(a + b - 2 * c);
    const expected = byA <= byB && byA <= byC ? a : byB <= byC ? b : c;
    bytes[1 + i] = (row[i] ?? 0) - expected;
  }
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRCS[(crc ^ byte) & 255] ?? 0);
  return ~crc >>> 0;
}
