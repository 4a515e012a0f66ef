/** EXIF and XMP in files that sharp writes, rewritten by the page, and read by sharp again. */
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { resultExif } from '../../demo/picture/exif.ts';
import {
  pngMetadata,
  readMetadata,
  type ResultMetadata,
  withMetadata,
} from '../../demo/picture/metadata.ts';
import { createPng } from '../../demo/picture/png.ts';
import { resultXmp } from '../../src/library/result-note.ts';

const FORMATS = ['png', 'jpeg', 'webp'] as const;
const RED = { create: { width: 8, height: 6, channels: 3, background: '#c02010' } } as const;

const XMP = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="naïve"/></rdf:RDF></x:xmpmeta>`;

const photo = (format: (typeof FORMATS)[number]): Promise<Buffer> =>
  sharp(RED)
    .withExif({
      IFD0: { Copyright: 'Somebody', Software: 'Camera 1' },
      IFD2: { ISOSpeedRatings: '400' },
    })
    .withXmp(XMP)
    .withMetadata({ orientation: 6 })
    .toFormat(format)
    .toBuffer();

/** RED as the page writes it, enlarged `by`. */
async function written(
  format: (typeof FORMATS)[number],
  metadata: ResultMetadata,
  by = 1,
): Promise<Uint8Array> {
  const [width, height] = [8 * by, 6 * by];
  const plain = sharp(RED).resize(width, height);
  if (format !== 'png') {
    const bytes = await plain.toFormat(format).toBuffer();
    return withMetadata(bytes, metadata, { width, height });
  }
  const png = createPng({ width, height, channels: 3, chunks: pngMetadata(metadata) });
  await png.write(await plain.raw().toBuffer());
  return new Uint8Array(await (await png.finish()).arrayBuffer());
}

/** The text of an EXIF block, for names and values that are stored as such. */
const textOf = (exif: Uint8Array | undefined): string => Buffer.from(exif ?? []).toString('latin1');

describe.each(FORMATS)('%s', (format) => {
  test('a photo’s metadata go into the result: upright, its size, our name', async () => {
    const read = await readMetadata(await photo(format));
    expect(read.xmp).toContain('naïve');
    const exif = resultExif(read.exif, { width: 32, height: 24, software: 'ours, AI-upscaled' });
    const xmp = resultXmp(read.xmp, { settings: { seed: 7 }, tool: 'ours' });
    const bytes = await written(
      format,
      { ...(exif && { exif }), xmp, texts: { Software: 'ours' } },
      4,
    );
    const found = await sharp(bytes).metadata();
    expect(found.orientation).toBe(1);
    expect(textOf(found.exif)).toContain('ours, AI-upscaled');
    expect(textOf(found.exif)).toContain('Somebody');
    expect(found.xmp?.toString()).toContain('naïve');
    expect(found.xmp?.toString()).toContain('compositeWithTrainedAlgorithmicMedia');
    // The picture is the same.
    const plain = await sharp(RED).resize(32, 24).toFormat(format).toBuffer();
    expect(await sharp(bytes).raw().toBuffer()).toEqual(await sharp(plain).raw().toBuffer());
    // What we wrote we read.
    expect(await readMetadata(bytes)).toEqual({ exif, xmp });
  });

  test('without metadata of its own it gets ours', async () => {
    const plain = await sharp(RED).toFormat(format).toBuffer();
    expect(await readMetadata(plain)).toEqual({});
    const exif = resultExif(undefined, { width: 8, height: 6, software: 'ours' });
    const bytes = await written(format, { ...(exif && { exif }) });
    expect(textOf((await sharp(bytes).metadata()).exif)).toContain('ours');
  });

  test('a file that ends early has the metadata that were before its end', async () => {
    const whole = await photo(format);
    for (let end = 0; end < whole.length; end += 7) {
      await expect(readMetadata(whole.subarray(0, end))).resolves.toBeDefined();
    }
  });
});

test('a transparent WebP stays so', async () => {
  const clear = { create: { width: 9, height: 5, channels: 4, background: '#10203040' } } as const;
  for (const lossless of [true, false]) {
    const plain = await sharp(clear).webp({ lossless }).toBuffer();
    const bytes = withMetadata(plain, { xmp: XMP }, { width: 9, height: 5 });
    expect((await sharp(bytes).metadata()).hasAlpha).toBe(true);
    expect(await sharp(bytes).raw().toBuffer()).toEqual(await sharp(plain).raw().toBuffer());
  }
});

test('EXIF that makes no sense is left out', () => {
  const facts = { width: 1, height: 1, software: 'ours' };
  expect(resultExif(new Uint8Array(20), facts)).toBeUndefined();
  // An offset that leads out of it.
  expect(resultExif(Uint8Array.of(0x4d, 0x4d, 0, 42, 0, 0, 99, 0), facts)).toBeUndefined();
});
