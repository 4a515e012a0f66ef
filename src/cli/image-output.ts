/**
 * Results → image files. Nothing is ever half-written: encoded beside the target under another name,
 * renamed. PNG, TIFF and JPEG are encoded row by row; WebP needs the whole picture in memory.
 */
import { extname } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import type { ImageSize } from '../engine/gpu-image.ts';
import { InputError } from './errors.ts';
import type { Picture } from './image-file.ts';
import { writeWhole } from './whole-file.ts';

export const WRITABLE = ['.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff'] as const;

/** Longest side that a format's header can hold. */
const MAX_SIDE: Readonly<Record<string, number>> = {
  '.jpg': 65_535,
  '.jpeg': 65_535,
  '.webp': 16_383,
};

const DEEP = new Set(['.png', '.tif', '.tiff']);

const extensionOf = (file: string): string => extname(file).toLowerCase();

/** Throws where a picture of `size` cannot be stored in the format of `file`. */
export function expectStorable(file: string, { width, height }: ImageSize): void {
  const extension = extensionOf(file);
  const limit = MAX_SIDE[extension];
  if (limit === undefined || Math.max(width, height) <= limit) return;
  throw new InputError(
    `${file} would have ${width}x${height} pixels, ${extension} files hold at most ${limit} a side; write a .png`,
  );
}

/** Whether the format of `file` holds 16 bits per channel. */
export const holds16Bits = (file: string): boolean => DEEP.has(extensionOf(file));

const QUALITY = 95;
const BIGTIFF_BYTES = 2 ** 32 - 2 ** 26;

/** The picture in the format that the file's extension names; JPEG lies on white. */
function encoded(image: Sharp, file: string, hasAlpha: boolean, bytes = 0): Sharp {
  switch (extensionOf(file)) {
    case '.jpg':
    case '.jpeg': {
      const opaque = hasAlpha ? image.flatten({ background: '#ffffff' }) : image;
      return opaque.jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' });
    }
    case '.webp':
      return image.webp({ quality: QUALITY });
    case '.tif':
    case '.tiff':
      return image.tiff({
        compression: 'deflate',
        predictor: 'horizontal',
        bigtiff: bytes > BIGTIFF_BYTES,
      });
    default:
      return image.png();
  }
}

export interface Rows extends ImageSize {
  /** A file of libvips' own format, with the metadata that the result is to have. */
  readonly path: string;
  readonly depth: 8 | 16;
  readonly hasAlpha: boolean;
  readonly bytes: number;
  /** False: the colour profile only. */
  readonly metadata: boolean;
}

/** Rows on disk → `to`, in the format that the extension of `file` names. */
export async function encodeRows(
  { path, depth, hasAlpha, bytes, metadata }: Rows,
  file: string,
  to: string,
): Promise<void> {
  const rows = sharp(path, { limitInputPixels: false });
  // libvips makes up EXIF of its own where it may keep any.
  const image = (metadata ? rows.keepMetadata() : rows.keepIccProfile()).toColourspace(
    depth === 16 ? 'rgb16' : 'srgb',
  );
  await encoded(image, file, hasAlpha, bytes).toFile(to);
}

/** Alpha scaled to the result's size: smooth edges need no network. */
export async function resizeAlpha(
  alpha: Uint8Array,
  { width, height }: ImageSize,
  to: ImageSize,
): Promise<Uint8Array> {
  return sharp(alpha, { raw: { width, height, channels: 1 } })
    .resize({ width: to.width, height: to.height, fit: 'fill', kernel: 'cubic' })
    .toColourspace('b-w')
    .raw({ depth: 'uchar' })
    .toBuffer();
}

/** Writes a picture that is whole in memory. */
export async function writePicture(
  file: string,
  { width, height, pixels, alpha }: Picture,
): Promise<void> {
  const merged = alpha ? pixels.slice() : pixels;
  if (alpha) for (let i = 0; i < alpha.length; i++) merged[4 * i + 3] = alpha[i] ?? 255;
  const image = sharp(merged, { raw: { width, height, channels: 4 }, limitInputPixels: false });
  const flat = alpha ? image : image.removeAlpha();
  await writeWhole(file, await encoded(flat, file, alpha !== null).toBuffer());
}

/** Left half: bicubic enlargement of the input. Right half: the result. A white line between. */
export async function writeBeforeAfter(
  file: string,
  before: Sharp,
  after: Sharp,
  { width, height }: ImageSize,
): Promise<void> {
  const left = before.resize({ width, height, fit: 'fill', kernel: 'cubic' });
  const halves = [left, after].map((half) =>
    half.removeAlpha().toColourspace('srgb').png().toBuffer(),
  );
  const [input, result] = await Promise.all(halves);
  const image = sharp({
    create: { width: 2 * width + 8, height, channels: 3, background: '#ffffff' },
  }).composite([
    { input, left: 0, top: 0 },
    { input: result, left: width + 8, top: 0 },
  ]);
  await writeWhole(file, await image.png().toBuffer());
}
