/**
 * Image files → pixels, through sharp: palette, greyscale or CMYK, EXIF orientation applied.
 * Everything that can be known from the header is checked before a pixel is decoded.
 *
 * Colours: an RGB picture keeps its values and its ICC profile, so that nothing outside sRGB is lost;
 * the networks take the values as they come, as the official code does. Others become sRGB.
 */
import { stat } from 'node:fs/promises';
import sharp, { type Metadata, type Sharp } from 'sharp';
import type { ImageSize } from '../engine/gpu-image.ts';
import type { Pixels } from '../invsr/pixels.ts';
import { InputError, reasonOf } from './errors.ts';
import { writeError } from './whole-file.ts';

// Files of a job are gone when it is done, and none is opened twice.
sharp.cache(false);

/** What a header says; upright. */
export interface PictureHeader extends ImageSize {
  readonly depth: 8 | 16;
  readonly hasAlpha: boolean;
}

/** Pixels, their alpha 255, and the alpha channel where there is one. */
export interface Picture extends Pixels {
  /** One byte per pixel; null where the file has no alpha channel. */
  readonly alpha: Uint8Array | null;
}

export const READABLE = ['.png', '.jpg', '.jpeg', '.webp', '.avif', '.tif', '.tiff'] as const;

/** sharp's names of the formats behind `READABLE`; AVIF is HEIF with another codec. */
const FORMATS = new Set(['png', 'jpeg', 'webp', 'heif', 'avif', 'tiff']);

/** Results of 16 times as many pixels: 2^32, which is more than viewers open. */
const MAX_PIXELS = 2 ** 28;

const expected = `expected an image (${READABLE.join(', ')})`;

/** Header only: that it is an image of a known format and a possible size. */
export async function inspect(file: string): Promise<PictureHeader> {
  const { autoOrient, depth, hasAlpha } = await metadataOf(file);
  return { ...autoOrient, depth: depth === 'uchar' ? 8 : 16, hasAlpha };
}

/** Decodes into a file of libvips' own format (vips-file.ts): RGB or RGBA, upright, with metadata. */
export async function decode(file: string, to: string): Promise<void> {
  const metadata = await metadataOf(file);
  const upright = open(file).autoOrient().keepMetadata();
  const colours = isRgb(metadata) ? upright : toSrgb(upright, metadata);
  await colours
    .toColourspace(metadata.depth === 'uchar' ? 'srgb' : 'rgb16')
    .toFile(to)
    .catch((cause: unknown) => {
      throw decodeError(file, cause, to);
    });
}

/** The whole picture in 8 bits, in memory, for the GPU frame. */
export async function readPicture(file: string): Promise<Picture> {
  const metadata = await metadataOf(file);
  const upright = open(file).autoOrient();
  const { data, info } = await (isRgb(metadata) ? upright.keepIccProfile() : upright)
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw decodeError(file, cause);
    });
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const count = info.width * info.height;
  const alpha = metadata.hasAlpha ? new Uint8Array(count) : null;
  for (let i = 0; i < count; i++) {
    if (alpha) alpha[i] = pixels[4 * i + 3] ?? 255;
    pixels[4 * i + 3] = 255;
  }
  return { width: info.width, height: info.height, pixels, alpha };
}

/** RGB, and a profile, if any, that is for RGB: bytes 16 to 19 of a profile name its colour space. */
function isRgb({ space, icc }: Metadata): boolean {
  if (space !== 'srgb' && space !== 'rgb16' && space !== 'rgb') return false;
  return icc === undefined || icc.toString('latin1', 16, 20) === 'RGB ';
}

/** A profile of the file's own is used for that, and replaced by sRGB's. */
const toSrgb = (image: Sharp, { icc, space }: Metadata): Sharp =>
  icc === undefined && space !== 'cmyk' ? image : image.withIccProfile('srgb');

async function metadataOf(file: string): Promise<Metadata> {
  const status = await stat(file).catch((cause: unknown) => {
    throw new InputError(`cannot read ${file}: ${reasonOf(cause)}`, { cause });
  });
  if (!status.isFile()) throw new InputError(`${file} is not a file, ${expected}`);
  if (status.size === 0) throw new InputError(`${file} is empty (0 bytes), ${expected}`);
  const metadata = await open(file)
    .metadata()
    .catch((cause: unknown) => {
      throw decodeError(file, cause);
    });
  const { format, width, height } = metadata;
  if (!FORMATS.has(format)) throw new InputError(`${file} is ${format}, ${expected}`);
  if (width * height > MAX_PIXELS) {
    throw new InputError(
      `${file} has ${width}x${height} pixels, at most ${MAX_PIXELS} (such as 16384x16384) can be upscaled; cut it into parts or make it smaller`,
    );
  }
  return metadata;
}

// Warnings are let pass (odd metadata), damaged pixels are not; the size is checked above.
const open = (file: string): Sharp => sharp(file, { failOn: 'error', limitInputPixels: false });

/** `to`: the file that is written on the way. */
function decodeError(file: string, cause: unknown, to = file): Error {
  const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  const refuse = (sentence: string): Error => new InputError(sentence, { cause });
  if (/unsupported image format/i.test(reason))
    return refuse(`${file} is not an image, ${expected}`);
  if (/no space left/i.test(reason)) return writeError(to, cause);
  if (/permission denied/i.test(reason)) return refuse(`cannot read ${file}: permission denied`);
  return refuse(`${file} is damaged or cut short (${reason.trim()}); get the file again`);
}
