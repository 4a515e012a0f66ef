/**
 * EXIF and XMP as they lie in PNG, JPEG and WebP files: read from the input, written into the result.
 *
 *   JPEG  segments  FF marker, length u16 (with itself), APP1 "Exif\0\0" + TIFF, APP1 XMP name + packet
 *   PNG   chunks    length u32, type, data, crc32: eXIf, iTXt "XML:com.adobe.xmp", or zTXt (libvips), tEXt
 *   WebP  RIFF      type, length u32 little-endian, data, even: VP8X with flags first, EXIF, "XMP "
 */
import { concatBytes } from '../../src/weights/safetensors-write.ts';
import { pngChunk } from './png.ts';

export interface PictureMetadata {
  /** A TIFF block, from its byte order on. */
  readonly exif?: Uint8Array;
  /** The packet. */
  readonly xmp?: string;
}

export interface ResultMetadata extends PictureMetadata {
  /** Of a PNG, for viewers that show no XMP; Latin-1. */
  readonly texts?: Readonly<Record<string, string>>;
}

const EXIF = 'Exif\0\0';
const XMP = 'http://ns.adobe.com/xap/1.0/\0';
const PNG_XMP = 'XML:com.adobe.xmp\0\0\0\0\0';
const PNG_XMP_PACKED = 'XML:com.adobe.xmp\0\x01\0\0\0';
const ZTXT_XMP = 'XML:com.adobe.xmp\0\0';

const latin = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};
const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const fromUtf8 = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const startsWith = (bytes: Uint8Array, text: string): boolean =>
  latin(bytes.subarray(0, text.length)) === text;

function u32(value: number, littleEndian = false): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, littleEndian);
  return bytes;
}

interface Part {
  readonly type: string;
  readonly data: Uint8Array;
  /** With header and padding. */
  readonly whole: Uint8Array;
}

/** Damaged files end early: what is readable counts. */
export async function readMetadata(bytes: Uint8Array): Promise<PictureMetadata> {
  const found: { exif?: Uint8Array; xmp?: string } = {};
  for (const { type, data } of partsOf(bytes)) {
    if (type === 'eXIf' || type === 'EXIF') {
      found.exif = startsWith(data, EXIF) ? data.slice(EXIF.length) : data.slice();
    } else if (type === 'XMP ') {
      found.xmp = fromUtf8(data);
    } else if (type === 'iTXt' && startsWith(data, PNG_XMP)) {
      found.xmp = fromUtf8(data.subarray(PNG_XMP.length));
    } else if (type === 'iTXt' && startsWith(data, PNG_XMP_PACKED)) {
      found.xmp = await inflated(data.subarray(PNG_XMP_PACKED.length));
    } else if (type === 'zTXt' && startsWith(data, ZTXT_XMP)) {
      found.xmp = await inflated(data.subarray(ZTXT_XMP.length));
    } else if (type === 'APP1' && startsWith(data, EXIF)) {
      found.exif = data.slice(EXIF.length);
    } else if (type === 'APP1' && startsWith(data, XMP)) {
      found.xmp = fromUtf8(data.subarray(XMP.length));
    }
  }
  return found;
}

const inflated = (data: Uint8Array): Promise<string> =>
  new Response(
    new Blob([data.slice()]).stream().pipeThrough(new DecompressionStream('deflate')),
  ).text();

function partsOf(bytes: Uint8Array): Iterable<Part> {
  if (startsWith(bytes, '\x89PNG\r\n')) return pngChunks(bytes);
  if (startsWith(bytes, '\xff\xd8')) return jpegSegments(bytes);
  if (startsWith(bytes, 'RIFF') && latin(bytes.subarray(8, 12)) === 'WEBP')
    return webpChunks(bytes);
  return [];
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function* pngChunks(bytes: Uint8Array): Generator<Part> {
  const view = viewOf(bytes);
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) return;
    const type = latin(bytes.subarray(at + 4, at + 8));
    yield { type, data: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) };
    at = end;
  }
}

/** Up to the picture's data. */
function* jpegSegments(bytes: Uint8Array): Generator<Part> {
  const view = viewOf(bytes);
  for (let at = 2; at + 4 <= bytes.length;) {
    const marker = view.getUint16(at);
    if (marker < 0xffc0 || marker === 0xffda) return;
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) return;
    const type = marker >= 0xffe0 && marker <= 0xffef ? `APP${marker - 0xffe0}` : '';
    yield { type, data: bytes.subarray(at + 4, end), whole: bytes.subarray(at, end) };
    at = end;
  }
}

function* webpChunks(bytes: Uint8Array): Generator<Part> {
  const view = viewOf(bytes);
  for (let at = 12; at + 8 <= bytes.length;) {
    const length = view.getUint32(at + 4, true);
    const end = Math.min(bytes.length, at + 8 + length + (length % 2));
    const type = latin(bytes.subarray(at, at + 4));
    yield { type, data: bytes.subarray(at + 8, at + 8 + length), whole: bytes.subarray(at, end) };
    at = end;
  }
}

/** What a PNG says about itself, as chunks for the writer of png.ts. */
export const pngMetadata = ({ exif, xmp, texts = {} }: ResultMetadata) => [
  ...(exif ? [pngChunk('eXIf', exif)] : []),
  ...(xmp === undefined ? [] : [pngChunk('iTXt', concatBytes([bytesOf(PNG_XMP), utf8(xmp)]))]),
  ...Object.entries(texts).map(([key, text]) => pngChunk('tEXt', bytesOf(`${key}\0${text}`))),
];

/** An encoded JPEG or WebP with metadata in it; what it had of its own kind is replaced. */
export const withMetadata = (
  bytes: Uint8Array,
  metadata: PictureMetadata,
  size: { readonly width: number; readonly height: number },
): Uint8Array<ArrayBuffer> =>
  startsWith(bytes, '\xff\xd8') ? jpegWith(bytes, metadata) : webpWith(bytes, metadata, size);

/** A segment holds 65533 bytes. EXIF that is longer is left out. */
function jpegWith(bytes: Uint8Array, { exif, xmp }: PictureMetadata) {
  const app1 = (data: Uint8Array): Uint8Array[] =>
    data.length > 65_533
      ? []
      : [
          concatBytes([
            Uint8Array.of(0xff, 0xe1, (data.length + 2) >> 8, (data.length + 2) & 255),
            data,
          ]),
        ];
  const segments = [...jpegSegments(bytes)];
  const after = bytes.subarray(2 + segments.reduce((sum, { whole }) => sum + whole.length, 0));
  const kept = segments.filter(({ type }) => type !== 'APP1');
  const first = kept.findIndex(({ type }) => type !== 'APP0');
  const wholes = kept.map(({ whole }) => whole);
  return concatBytes([
    bytes.subarray(0, 2),
    ...wholes.slice(0, first),
    ...(exif ? app1(concatBytes([bytesOf(EXIF), exif])) : []),
    ...(xmp === undefined ? [] : app1(concatBytes([bytesOf(XMP), utf8(xmp)]))),
    ...wholes.slice(first),
    after,
  ]);
}

const VP8X_XMP = 4;
const VP8X_EXIF = 8;
const VP8X_ALPHA = 16;

function webpWith(
  bytes: Uint8Array,
  { exif, xmp }: PictureMetadata,
  { width, height }: { readonly width: number; readonly height: number },
) {
  const chunk = (type: string, data: Uint8Array): Uint8Array =>
    concatBytes([bytesOf(type), u32(data.length, true), data, new Uint8Array(data.length % 2)]);
  const chunks = [...webpChunks(bytes)];
  const old = chunks.find(({ type }) => type === 'VP8X')?.data;
  const lossless = chunks.find(({ type }) => type === 'VP8L')?.data;
  // A simple file says so in its one chunk: bit 28 after the signature byte.
  const hasAlpha = ((lossless?.[4] ?? 0) & 16) !== 0;
  const header = new Uint8Array(10);
  header[0] =
    ((old?.[0] ?? (hasAlpha ? VP8X_ALPHA : 0)) & ~(VP8X_XMP | VP8X_EXIF)) |
    (exif ? VP8X_EXIF : 0) |
    (xmp === undefined ? 0 : VP8X_XMP);
  header.set(u32(width - 1, true).subarray(0, 3), 4);
  header.set(u32(height - 1, true).subarray(0, 3), 7);
  const body = concatBytes([
    bytesOf('WEBP'),
    chunk('VP8X', header),
    ...chunks.filter(({ type }) => !/^(?:VP8X|EXIF|XMP )$/.test(type)).map(({ whole }) => whole),
    ...(exif ? [chunk('EXIF', exif)] : []),
    ...(xmp === undefined ? [] : [chunk('XMP ', utf8(xmp))]),
  ]);
  return concatBytes([bytesOf('RIFF'), u32(body.length, true), body]);
}
