/**
 * The input's EXIF made right for the result: upright, of its size, without the old thumbnail, and
 * with the name of the program. https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E
 *
 *   TIFF   byte order "II" or "MM", 42 u16, offset of IFD0 u32
 *   IFD    count u16, entries of 12 bytes (tag u16, type u16, count u32, value or offset u32), next IFD u32
 *
 * Offsets count from the start, so that nothing but IFD0 moves: its new self lies at the end.
 */

const ORIENTATION = 0x0112;
const SOFTWARE = 0x0131;
const EXIF_IFD = 0x8769;
const WIDTHS = [0x0100, 0xa002];
const HEIGHTS = [0x0101, 0xa003];
const SHORT = 3;
const LONG = 4;
const ASCII = 2;
const ENTRY = 12;

export interface ExifFacts {
  readonly width: number;
  readonly height: number;
  readonly software: string;
}

/** A new TIFF block; undefined where `exif` is damaged, or absent (then one is made of the facts). */
export function resultExif(exif: Uint8Array | undefined, facts: ExifFacts): Uint8Array | undefined {
  try {
    return rewrite(exif ?? EMPTY, facts);
  } catch (error) {
    // An offset that leads out of the block.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Big-endian, no entries. */
const EMPTY = Uint8Array.of(0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0);

function rewrite(exif: Uint8Array, { width, height, software }: ExifFacts): Uint8Array | undefined {
  const order = String.fromCharCode(exif[0] ?? 0, exif[1] ?? 0);
  if (order !== 'II' && order !== 'MM') return undefined;
  const little = order === 'II';
  const name = new TextEncoder().encode(`${software}\0`);
  const old = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const first = old.getUint32(4, little);
  const kept = entriesAt(old, first, little).filter((at) => old.getUint16(at, little) !== SOFTWARE);
  const start = exif.length + (exif.length % 2);
  const nameAt = start + 2 + (kept.length + 1) * ENTRY + 4;
  const bytes = new Uint8Array(nameAt + name.length);
  bytes.set(exif);
  const view = new DataView(bytes.buffer);
  const put = (at: number): void => {
    const tag = view.getUint16(at, little);
    if (tag === ORIENTATION) setNumber(view, at, 1, little);
    if (WIDTHS.includes(tag)) setNumber(view, at, width, little);
    if (HEIGHTS.includes(tag)) setNumber(view, at, height, little);
    if (tag === EXIF_IFD) entriesAt(view, view.getUint32(at + 8, little), little).forEach(put);
  };
  view.setUint32(4, start, little);
  view.setUint16(start, kept.length + 1, little);
  // Entries lie in the order of their tags.
  const before = kept.filter((at) => old.getUint16(at, little) < SOFTWARE).length;
  kept.forEach((from, i) => {
    const to = start + 2 + (i + (i < before ? 0 : 1)) * ENTRY;
    bytes.set(exif.subarray(from, from + ENTRY), to);
    put(to);
  });
  const own = start + 2 + before * ENTRY;
  view.setUint16(own, SOFTWARE, little);
  view.setUint16(own + 2, ASCII, little);
  view.setUint32(own + 4, name.length, little);
  view.setUint32(own + 8, nameAt, little);
  bytes.set(name, nameAt);
  // No next IFD: it would be the thumbnail of the picture before.
  return bytes;
}

/** Where the entries of the IFD at `at` lie. */
function entriesAt(view: DataView, at: number, little: boolean): number[] {
  const count = view.getUint16(at, little);
  return Array.from({ length: count }, (_, i) => {
    view.getUint8(at + 2 + (i + 1) * ENTRY - 1); // RangeError where it is outside
    return at + 2 + i * ENTRY;
  });
}

function setNumber(view: DataView, at: number, value: number, little: boolean): void {
  const isShort = value < 65_536;
  view.setUint16(at + 2, isShort ? SHORT : LONG, little);
  view.setUint32(at + 4, 1, little);
  view.setUint32(at + 8, 0, little);
  if (isShort) view.setUint16(at + 8, value, little);
  else view.setUint32(at + 8, value, little);
}
