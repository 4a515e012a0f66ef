/**
 * What a result keeps of its input and says about itself: depth, colours, metadata, size. Networks that
 * can be predicted, in this process; the command line is tested in pictures.test.ts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectSpace } from '../../src/cli/disk-space.ts';
import { type RowsJob, upscaleToFile } from '../../src/cli/upscale-to-file.ts';
import { fakeNetworks } from '../harness/fake-networks.ts';
import { filesIn, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
afterAll(remove);
const at = (name: string) => join(cwd, name);

const WIDTH = 40;
const HEIGHT = 24;
const SETTINGS = { model: 'fake', scale: 4, seed: 7, tile: 128, prompt: 'a <"cat"> & dog' };

async function upscale(input: string, output: string, job: Partial<RowsJob> = {}) {
  const tiling = { tile: 16, tileBatch: 1, overlap: 0.125, colorFix: 'none' } as const;
  const settings = { input: at(input), output: at(output), resume: true, settings: SETTINGS };
  return upscaleToFile(
    { ...settings, scale: 4, depth: 'auto', ...job },
    {
      networks: async () => ({
        patches: fakeNetworks({ tile: 16, smooth: true }),
        tiling,
        key: 'k',
      }),
    },
  );
}

/** Levels that 8 bits cannot tell apart: 65 of them per pixel along a row. */
const level = (x: number): number => 20_000 + 65 * x;
const deep = (channels: 3 | 4) => {
  const pixels = new Uint16Array(WIDTH * HEIGHT * channels).map((_, i) =>
    i % channels === 3 ? 65_535 : level(Math.floor(i / channels) % WIDTH),
  );
  return sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels } }).toColourspace('rgb16');
};
const flat = (background: { r: number; g: number; b: number }) =>
  sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background } });

const EXIF = {
  IFD0: { Make: 'Acme', Artist: 'Ann & <Bob>', Software: 'camera 1' },
  IFD2: { DateTimeOriginal: '2020:02:03 04:05:06' },
};
const XMP = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="attic"/></rdf:RDF></x:xmpmeta>`;

beforeAll(async () => {
  await deep(3).png().toFile(at('deep.png'));
  await deep(4).png().toFile(at('deep-alpha.png'));
  await deep(3).tiff({ compression: 'lzw' }).toFile(at('deep.tif'));
  await flat({ r: 200, g: 30, b: 40 }).png().toFile(at('plain.png'));
  await flat({ r: 200, g: 30, b: 40 }).withIccProfile('p3').png().toFile(at('p3.png'));
  await flat({ r: 200, g: 30, b: 40 })
    .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
    .withMetadata({ orientation: 6, density: 300 })
    .withExifMerge(EXIF)
    .withXmp(XMP)
    .toFile(at('camera.jpg'));
});

/** The pixels as they are stored, and how many bits they have. */
async function stored(name: string) {
  const image = sharp(at(name), { ignoreIcc: true });
  const { depth } = await image.metadata();
  const raw = image.toColourspace(depth === 'ushort' ? 'rgb16' : 'srgb');
  const { data, info } = await raw
    .raw({ depth: depth === 'ushort' ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const wide = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  return { depth, info, values: depth === 'ushort' ? wide : data };
}

describe('depth', () => {
  test.each([
    ['deep.png', 'a.png'],
    ['deep.png', 'a.tif'],
    ['deep.tif', 'b.tiff'],
    ['deep-alpha.png', 'c.png'],
  ])('%s to %s keeps 16 bits', async (input, output) => {
    await upscale(input, output);
    const { depth, info, values } = await stored(output);
    expect({ depth, width: info.width }).toEqual({ depth: 'ushort', width: 4 * WIDTH });
    for (let x = 8; x < 4 * WIDTH - 8; x++) {
      const exact = level((x + 0.5) / 4 - 0.5);
      // f16 keeps 11 bits: a step of 16 levels here.
      expect(Math.abs(values[info.channels * x]! - exact)).toBeLessThan(17);
    }
    if (info.channels === 4) expect(values[3]).toBe(65_535);
  });

  test.each([
    ['deep.png', 'd.jpg', 'auto'],
    ['deep.png', 'd.webp', 'auto'],
    ['deep.png', 'd.png', 8],
    ['plain.png', 'e.png', 'auto'],
  ] as const)('%s to %s with --depth %s has 8', async (input, output, depth) => {
    await upscale(input, output, { depth });
    expect((await stored(output)).depth).toBe('uchar');
  });

  test('8 bits can be made 16', async () => {
    await upscale('plain.png', 'f.png', { depth: 16 });
    const { depth, values } = await stored('f.png');
    expect(depth).toBe('ushort');
    // 200 of 255, in f16 on the way.
    expect(Math.abs(values[0]! - 200 * 257)).toBeLessThan(17);
  });
});

describe('colours', () => {
  test.each(['g.png', 'g.jpg', 'g.webp', 'g.tif'])(
    '%s keeps the profile and the values',
    async (output) => {
      await upscale('p3.png', output);
      const before = await sharp(at('p3.png')).metadata();
      const after = await sharp(at(output)).metadata();
      expect(after.icc?.equals(before.icc!)).toBe(true);
      const input = await stored('p3.png');
      const { values } = await stored(output);
      for (let c = 0; c < 3; c++) expect(Math.abs(values[c]! - input.values[c]!)).toBeLessThan(3);
    },
  );

  test('the profile stays without metadata, for colours would change', async () => {
    await upscale('p3.png', 'h.png', { settings: null });
    expect((await sharp(at('h.png')).metadata()).icc).toBeDefined();
  });

  test('without a profile there is none', async () => {
    await upscale('plain.png', 'i.png');
    expect((await sharp(at('i.png')).metadata()).icc).toBeUndefined();
  });
});

describe('metadata', () => {
  const readBack = async (name: string) => {
    const metadata = await sharp(at(name)).metadata();
    return {
      ...metadata,
      exif: metadata.exif?.toString('latin1') ?? '',
      xmp: metadata.xmp?.toString() ?? '',
    };
  };

  test.each(['j.jpg', 'j.png', 'j.webp', 'j.tif'])(
    'EXIF, XMP and what made it are in %s',
    async (output) => {
      await upscale('camera.jpg', output);
      const { exif, xmp, orientation, width, height } = await readBack(output);
      expect({ width, height }).toEqual({ width: 4 * HEIGHT, height: 4 * WIDTH });
      expect(orientation ?? 1).toBe(1);
      // libvips writes no EXIF into TIFF.
      if (output !== 'j.tif') {
        for (const text of ['Acme', 'Ann & <Bob>', '2020:02:03 04:05:06'])
          expect(exif).toContain(text);
        expect(exif).toMatch(/invsr-webgpu \S+, AI-upscaled/);
        expect(exif).not.toContain('camera 1');
      }
      expect(xmp).toContain('dc:source="attic"');
      expect(xmp).toContain('digitalsourcetype/compositeWithTrainedAlgorithmicMedia"');
      expect(xmp).toMatch(/xmp:CreatorTool="invsr-webgpu /);
      expect(xmp).toContain('a &lt;');
      expect(xmp.match(/<\/rdf:RDF>/g)).toHaveLength(1);
    },
  );

  test('sizes in EXIF are those of the result; density is kept', async () => {
    await upscale('camera.jpg', 'k.jpg');
    await sharp(at('k.jpg')).keepMetadata().toFile(at('k.v'));
    const text = readFileSync(at('k.v'), 'latin1');
    expect(text).toMatch(new RegExp(`exif-ifd2-PixelXDimension">${4 * HEIGHT} `));
    expect(text).toMatch(new RegExp(`exif-ifd2-PixelYDimension">${4 * WIDTH} `));
    expect((await readBack('k.jpg')).density).toBe(300);
  });

  test('PNG has the same as text', async () => {
    await upscale('plain.png', 'l.png');
    const { comments } = await readBack('l.png');
    // The tiles that were used, not the ones asked for.
    expect(comments).toEqual([
      { keyword: 'Software', text: expect.stringMatching(/^invsr-webgpu /) },
      {
        keyword: 'Comment',
        text: expect.stringMatching(
          /^AI-upscaled: .*model fake, scale 4, seed 7, tile 16, prompt a <"cat"> & dog$/,
        ),
      },
    ]);
  });

  test('none of it without metadata', async () => {
    await upscale('camera.jpg', 'm.png', { settings: null });
    const { exif, xmp, comments } = await readBack('m.png');
    expect({ exif, xmp, comments }).toEqual({ exif: '', xmp: '', comments: undefined });
  });
});

describe('size', () => {
  test.each([
    [1, 40, 24],
    [1.37, 55, 33],
    [2, 80, 48],
    [4, 160, 96],
    [5.5, 220, 132],
    [8, 320, 192],
  ])('--scale %f', async (scale, width, height) => {
    expect(await upscale('deep.png', 'n.png', { scale })).toMatchObject({ width, height });
    const { info, values } = await stored('n.png');
    expect(info).toMatchObject({ width, height });
    for (let x = Math.ceil(4 * scale); x < width - 4 * scale; x++) {
      const exact = level(((x + 0.5) * WIDTH) / width - 0.5);
      expect(Math.abs(values[3 * x]! - exact)).toBeLessThan(33);
    }
  });
});

test('a disk too small is told before the work', async () => {
  await expect(expectSpace(at('o.png'), 1e17)).rejects.toThrow(
    /^.*o\.png needs about 100 PB of disk while it is made, [\d.]+ [kMGT]B are free; choose another place or make room$/,
  );
  await expectSpace(at('o.png'), 1);
});

test('nothing else is left', () => {
  expect(filesIn(cwd).filter((name) => name.startsWith('.'))).toEqual([]);
});
