/**
 * Image files → 8-bit sRGB pixels, through sharp: any bit depth, palette, greyscale or CMYK, EXIF
 * orientation applied, alpha apart. Everything that can be known from the header is checked before
 * a pixel is decoded.
 */
import { stat } from 'node:fs/promises';
import sharp, { type Metadata } from 'sharp';
import { InputError, reasonOf } from './errors.ts';

/** Pixels as the network takes them, and the alpha channel where there is one. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** rgba8, R first, row-major; alpha is 255. */
  readonly pixels: Uint8Array;
  /** One byte per pixel; null where the file has no alpha channel. */
  readonly alpha: Uint8Array | null;
}

export const READABLE = ['.png', '.jpg', '.jpeg', '.webp', '.avif', '.tif', '.tiff'] as const;

/** sharp's names of the formats behind `READABLE`; AVIF is HEIF with another codec. */
const FORMATS = new Set(['png', 'jpeg', 'webp', 'heif', 'avif', 'tiff']);

/**
 * A result of 16 · 16 bytes per input pixel (x4 each way, four f32) must fit one GPU binding, and
 * those end below 4 GiB on every adapter; what the adapter at hand allows is checked later.
 */
const MAX_PIXELS = 2 ** 24;

const expected = `expected an image (${READABLE.join(', ')})`;

export async function readPicture(file: string): Promise<Picture> {
  const { hasAlpha } = await inspect(file);
  const { data, info } = await open(file)
    .autoOrient()
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new InputError(decodeMessage(file, cause), { cause });
    });
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const count = info.width * info.height;
  const alpha = hasAlpha ? new Uint8Array(count) : null;
  for (let i = 0; i < count; i++) {
    if (alpha) alpha[i] = pixels[4 * i + 3] ?? 255;
    pixels[4 * i + 3] = 255;
  }
  return { width: info.width, height: info.height, pixels, alpha };
}

/** Header only: that it is an image of a known format and a possible size. */
async function inspect(file: string): Promise<Metadata> {
  const status = await stat(file).catch((cause: unknown) => {
    throw new InputError(`cannot read ${file}: ${reasonOf(cause)}`, { cause });
  });
  if (!status.isFile()) throw new InputError(`${file} is not a file, ${expected}`);
  if (status.size === 0) throw new InputError(`${file} is empty (0 bytes), ${expected}`);
  const metadata = await open(file)
    .metadata()
    .catch((cause: unknown) => {
      throw new InputError(decodeMessage(file, cause), { cause });
    });
  const { format, width, height } = metadata;
  if (!FORMATS.has(format)) throw new InputError(`${file} is ${format}, ${expected}`);
  if (width * height > MAX_PIXELS) {
    throw new InputError(
      `${file} has ${width}x${height} pixels, at most ${MAX_PIXELS} (such as 4096x4096) can be upscaled; cut it into parts or make it smaller`,
    );
  }
  return metadata;
}

// Warnings are let pass (odd metadata), damaged pixels are not; the size is checked by `inspect`.
const open = (file: string) => sharp(file, { failOn: 'error', limitInputPixels: false });

function decodeMessage(file: string, cause: unknown): string {
  const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  if (/unsupported image format/i.test(reason)) return `${file} is not an image, ${expected}`;
  if (/permission denied/i.test(reason)) return `cannot read ${file}: permission denied`;
  return `${file} is damaged or cut short (${reason.trim()}); get the file again`;
}
