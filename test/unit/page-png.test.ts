/** PNG files that the page writes row by row, as sharp reads them. */
import { randomBytes } from 'node:crypto';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { createPng } from '../../demo/picture/png.ts';

/** Rows in groups of `band`. */
async function png(
  pixels: Uint8Array,
  size: { readonly width: number; readonly height: number; readonly channels: 3 | 4 },
  band: number,
): Promise<Buffer> {
  const writer = createPng(size);
  const step = band * size.width * size.channels;
  for (let at = 0; at < pixels.length; at += step)
    await writer.write(pixels.subarray(at, at + step));
  const blob = await writer.finish();
  expect(blob.type).toBe('image/png');
  return Buffer.from(await blob.arrayBuffer());
}

test.each([
  [1, 1, 3, 1],
  [1, 7, 4, 2],
  [5, 1, 3, 1],
  [253, 101, 3, 32],
  [101, 253, 4, 100],
] as const)(
  '%i × %i pixels of %i channels, %i rows at a time',
  async (width, height, channels, band) => {
    const pixels = randomBytes(width * height * channels);
    const bytes = await png(pixels, { width, height, channels }, band);
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([width, height, channels]);
    expect(data.equals(pixels)).toBe(true);
    const facts = await sharp(bytes).metadata();
    expect([facts.space, facts.depth, facts.isProgressive]).toEqual(['srgb', 'uchar', false]);
  },
);

test('bytes beyond what is gathered at a time are all there', async () => {
  const size = { width: 1500, height: 1000, channels: 3 } as const;
  const pixels = randomBytes(size.width * size.height * size.channels);
  const bytes = await png(pixels, size, 1000);
  expect(bytes.length).toBeGreaterThan(pixels.length); // noise
  expect((await sharp(bytes).raw().toBuffer()).equals(pixels)).toBe(true);
});

test('a file without all its rows is none', async () => {
  const writer = createPng({ width: 2, height: 3, channels: 3 });
  await writer.write(new Uint8Array(12));
  await expect(writer.finish()).rejects.toThrow('1 of 3 rows');
});

test('a photo takes about the room that it takes with a filter chosen for each row', async () => {
  const photo = sharp('examples/images/garden-lr.png').removeAlpha().resize(768, 512);
  const { data, info } = await photo.raw().toBuffer({ resolveWithObject: true });
  const ours = await png(data, { width: info.width, height: info.height, channels: 3 }, 64);
  const chosen = await sharp(data, { raw: { width: 768, height: 512, channels: 3 } })
    .png({ adaptiveFiltering: true, compressionLevel: 6 })
    .toBuffer();
  // 1.5 % less. Without filters it would be three times as much.
  expect(ours.length).toBeLessThan(1.05 * chosen.length);
});
