/**
 * libvips' own file format, which both sides of a job use: pixels as they are, rows in order, so that
 * a file can grow row by row, be read at any row, and have any size; and metadata behind them.
 *
 *   64 bytes      magic, width, height, bands, format, resolution (below)
 *   pixels        [H, W, bands], 8 or 16 bits, little endian
 *   XML           fields: EXIF, ICC, XMP, PNG texts, as libvips holds them in memory
 *
 * Format: libvips/iofuncs/vips.c. sharp reads and writes it by the extension .v.
 */
import type { FileHandle } from 'node:fs/promises';
import type { ImageSize } from '../engine/gpu-image.ts';
import { escapeXml, unescapeXml } from '../library/xml.ts';

export const HEADER_BYTES = 64;

const MAGIC = 0x08f2a6b6;
/** VipsBandFormat. */
const FORMAT = { 8: 0, 16: 2 } as const;
/** VipsInterpretation: sRGB and RGB16. */
const KIND = { 8: 22, 16: 25 } as const;

export interface VipsLayout extends ImageSize {
  readonly channels: 3 | 4;
  readonly depth: 8 | 16;
  /** Pixels per millimetre, as the header holds them. */
  readonly resolution: readonly [x: number, y: number];
}

/** One thing libvips knows about an image besides its pixels; blobs are in base64. */
export interface VipsField {
  /** VipsBlob, VipsRefString, gint, … */
  readonly type: string;
  readonly name: string;
  readonly text: string;
}

export const rowBytes = ({ width, channels, depth }: VipsLayout): number =>
  (width * channels * depth) / 8;

export const pixelBytes = (layout: VipsLayout): number => layout.height * rowBytes(layout);

export function vipsHeader({ width, height, channels, depth, resolution }: VipsLayout): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const words = [MAGIC, width, height, channels, 0, FORMAT[depth], 0, KIND[depth]];
  for (const [i, word] of words.entries()) view.setUint32(4 * i, word, true);
  view.setFloat32(32, resolution[0], true);
  view.setFloat32(36, resolution[1], true);
  return bytes;
}

/** The layout of a file that sharp wrote. */
export async function readLayout(file: FileHandle): Promise<VipsLayout> {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  await file.read(view, 0, HEADER_BYTES, 0);
  const word = (i: number): number => view.getUint32(4 * i, true);
  const channels = word(3);
  const depth = word(5) === FORMAT[8] ? 8 : 16;
  if (word(0) !== MAGIC || (channels !== 3 && channels !== 4) || word(5) !== FORMAT[depth]) {
    throw new Error(`not decoded as RGB: ${channels} bands of format ${word(5)}`);
  }
  const resolution = [view.getFloat32(32, true), view.getFloat32(36, true)] as const;
  return { width: word(1), height: word(2), channels, depth, resolution };
}

/** The fields behind the pixels. */
export async function readFields(file: FileHandle, layout: VipsLayout): Promise<VipsField[]> {
  const start = HEADER_BYTES + pixelBytes(layout);
  const { size } = await file.stat();
  const xml = Buffer.alloc(Math.max(0, size - start));
  await file.read(xml, 0, xml.length, start);
  const fields = xml
    .toString('utf8')
    .matchAll(/<field type="(\w+)" name="([^"]+)">([^<]*)<\/field>/g);
  return Array.from(fields, ([, type = '', name = '', text = '']) => ({
    type,
    name: unescapeXml(name),
    text: unescapeXml(text),
  }));
}

export function fieldsXml(fields: readonly VipsField[]): string {
  const lines = fields.map(
    ({ type, name, text }) =>
      `    <field type="${type}" name="${escapeXml(name)}">${escapeXml(text)}</field>`,
  );
  return `<?xml version="1.0"?>
<root xmlns="http://www.vips.ecs.soton.ac.uk/vips/8.18.0">
  <header>
  </header>
  <meta>
${lines.join('\n')}
  </meta>
</root>
`;
}
