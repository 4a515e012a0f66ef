/**
 * Results → image files. Nothing is ever half-written: encoded in memory, written under a temporary
 * name beside the target, renamed.
 */
import { extname } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { InputError } from './errors.ts';
import type { Picture } from './image-file.ts';
import { writeWhole } from './whole-file.ts';

export const WRITABLE = ['.png', '.jpg', '.jpeg', '.webp'] as const;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Longest side that a format's header can hold. */
const MAX_SIDE: Readonly<Record<string, number>> = {
  '.jpg': 65_535,
  '.jpeg': 65_535,
  '.webp': 16_383,
};

/** Throws where a picture of `size` cannot be stored in the format of `file`. */
export function expectStorable(file: string, { width, height }: Size): void {
  const extension = extname(file).toLowerCase();
  const limit = MAX_SIDE[extension];
  if (limit === undefined || Math.max(width, height) <= limit) return;
  throw new InputError(
    `${file} would have ${width}x${height} pixels, ${extension} files hold at most ${limit} a side; write a .png`,
  );
}

/** Alpha scaled to the result's size: smooth edges need no network. */
export async function resizeAlpha(
  alpha: Uint8Array,
  { width, height }: Size,
  to: Size,
): Promise<Uint8Array> {
  return sharp(alpha, { raw: { width, height, channels: 1 } })
    .resize({ width: to.width, height: to.height, fit: 'fill', kernel: 'cubic' })
    .toColourspace('b-w')
    .raw({ depth: 'uchar' })
    .toBuffer();
}

/** Writes the picture in the format that the file's extension names; JPEG lies on white. */
export async function writePicture(
  file: string,
  { width, height, pixels, alpha }: Picture,
): Promise<void> {
  const extension = extname(file).toLowerCase();
  const merged = alpha ? pixels.slice() : pixels;
  if (alpha) for (let i = 0; i < alpha.length; i++) merged[4 * i + 3] = alpha[i] ?? 255;
  const image = sharp(merged, { raw: { width, height, channels: 4 }, limitInputPixels: false });
  const flat = (): Sharp => (alpha ? image : image.removeAlpha());
  if (extension === '.jpg' || extension === '.jpeg') {
    const onWhite = image.flatten({ background: '#ffffff' });
    await writeWhole(
      file,
      await onWhite.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer(),
    );
  } else if (extension === '.webp') {
    await writeWhole(file, await flat().webp({ quality: 95 }).toBuffer());
  } else {
    await writeWhole(file, await flat().png().toBuffer());
  }
}

/** Left half: bicubic x4 of the input. Right half: the result. A white line between. */
export async function writeBeforeAfter(
  file: string,
  before: Picture,
  { width, height, pixels }: Picture,
): Promise<void> {
  const size = { width: before.width, height: before.height };
  const left = await sharp(before.pixels, { raw: { ...size, channels: 4 } })
    .resize({ width, height, fit: 'fill', kernel: 'cubic' })
    .png()
    .toBuffer();
  const right = await sharp(pixels, { raw: { width, height, channels: 4 } })
    .png()
    .toBuffer();
  const image = sharp({
    create: { width: 2 * width + 8, height, channels: 3, background: '#ffffff' },
  }).composite([
    { input: left, left: 0, top: 0 },
    { input: right, left: width + 8, top: 0 },
  ]);
  await writeWhole(file, await image.png().toBuffer());
}
