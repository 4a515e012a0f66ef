/**
 * Image files through sharp: decoding to 8-bit sRGB, encoding the result, alpha and EXIF
 * orientation. Nothing is ever half-written: output goes to a temporary file that is renamed.
 */
import { randomBytes } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import sharp from 'sharp';
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
export const WRITABLE = ['.png', '.jpg', '.jpeg', '.webp'] as const;

export async function readPicture(file: string): Promise<Picture> {
  const info = await stat(file).catch((cause: unknown) => {
    throw new InputError(`cannot read ${file}: ${reasonOf(cause)}`, { cause });
  });
  if (info.size === 0) throw new InputError(`${file} is empty (0 bytes), expected an image`);
  const { data, info: raw } = await sharp(file, { failOn: 'truncated', limitInputPixels: false })
    .autoOrient()
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new InputError(decodeMessage(file, cause), { cause });
    });
  const { hasAlpha } = await sharp(file, { limitInputPixels: false }).metadata();

  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  const count = raw.width * raw.height;
  const alpha = hasAlpha ? new Uint8Array(count) : null;
  for (let i = 0; i < count; i++) {
    if (alpha) alpha[i] = pixels[4 * i + 3] ?? 255;
    pixels[4 * i + 3] = 255;
  }
  return { width: raw.width, height: raw.height, pixels, alpha };
}

function decodeMessage(file: string, cause: unknown): string {
  const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  if (/unsupported image format/i.test(reason)) {
    return `${file} is not an image this program reads (${READABLE.join(', ')})`;
  }
  return `${file} is damaged or cut short (${reason.trim()}); get the file again`;
}

/** Alpha scaled to the result's size: smooth edges need no network. */
export async function resizeAlpha(
  alpha: Uint8Array,
  from: { readonly width: number; readonly height: number },
  to: { readonly width: number; readonly height: number },
): Promise<Uint8Array> {
  const raw = { width: from.width, height: from.height, channels: 1 } as const;
  return sharp(alpha, { raw })
    .resize({ width: to.width, height: to.height, fit: 'fill', kernel: 'cubic' })
    .toColourspace('b-w')
    .raw({ depth: 'uchar' })
    .toBuffer();
}

/** Writes rgba8 `pixels` in the format that the file's extension names. */
export async function writePicture(
  file: string,
  { width, height, pixels, alpha }: Picture,
): Promise<void> {
  const extension = extname(file).toLowerCase();
  const merged = alpha ? pixels.slice() : pixels;
  if (alpha) for (let i = 0; i < alpha.length; i++) merged[4 * i + 3] = alpha[i] ?? 255;
  let image = sharp(merged, { raw: { width, height, channels: 4 }, limitInputPixels: false });
  if (extension === '.jpg' || extension === '.jpeg') {
    image = image
      .flatten({ background: '#ffffff' })
      .jpeg({ quality: 95, chromaSubsampling: '4:4:4' });
  } else if (extension === '.webp') {
    image = (alpha ? image : image.removeAlpha()).webp({ quality: 95 });
  } else {
    image = (alpha ? image : image.removeAlpha()).png();
  }
  await writeWhole(file, (temporary) => image.toFile(temporary));
}

/** Left half: bicubic x4 of the input. Right half: the result. A white line between. */
export async function writeBeforeAfter(
  file: string,
  before: Picture,
  after: Picture,
): Promise<void> {
  const { width, height } = after;
  const rgb = { channels: 4 } as const;
  const bicubic = await sharp(before.pixels, {
    raw: { ...rgb, width: before.width, height: before.height },
  })
    .resize({ width, height, kernel: 'cubic' })
    .png()
    .toBuffer();
  const result = await sharp(after.pixels, { raw: { ...rgb, width, height } })
    .png()
    .toBuffer();
  const image = sharp({
    create: { width: 2 * width + 8, height, channels: 3, background: '#ffffff' },
  })
    .composite([
      { input: bicubic, left: 0, top: 0 },
      { input: result, left: width + 8, top: 0 },
    ])
    .png();
  await writeWhole(file, (temporary) => image.toFile(temporary));
}

/** Runs `write` on a temporary name beside `file`, then renames; leaves nothing behind on failure. */
export async function writeWhole(
  file: string,
  write: (temporary: string) => Promise<unknown>,
): Promise<void> {
  const temporary = join(
    dirname(file),
    `.${basename(file)}.${randomBytes(4).toString('hex')}.part`,
  );
  try {
    await write(temporary);
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new Error(`cannot write ${file}: ${reasonOf(cause)}`, { cause });
  }
}
