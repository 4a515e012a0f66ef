/**
 * Every format in, every format out. The picture has four quadrants of different colours and unequal
 * sides, so that any turn or mirror shows; files that hold the same pixels must give the same result,
 * byte for byte, since nothing else enters the computation.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ended, eventsOf, expectRefusal, filesIn, invsr, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
afterAll(remove);
const at = (name: string) => join(cwd, name);

const WIDTH = 24;
const HEIGHT = 16;
/** Top left, top right, bottom left, bottom right. */
const QUADRANTS = [
  [200, 40, 40],
  [40, 180, 60],
  [50, 60, 200],
  [220, 220, 210],
] as const;

type Rgb = readonly [number, number, number];
const upright = (x: number, y: number): Rgb =>
  QUADRANTS[(y < HEIGHT / 2 ? 0 : 2) + (x < WIDTH / 2 ? 0 : 1)]!;

/** A picture of `width` x `height` pixels from a function of x and y. */
function draw(
  width: number,
  height: number,
  color: (x: number, y: number) => readonly number[],
): Sharp {
  const pixels = Array.from({ length: width * height }, (_, i) =>
    color(i % width, Math.floor(i / width)),
  );
  const channels = pixels[0]!.length as 1 | 3 | 4;
  return sharp(Uint8Array.from(pixels.flat()), { raw: { width, height, channels } });
}
const picture = (): Sharp => draw(WIDTH, HEIGHT, upright);

/**
 * Stored pixel (x, y) of a file whose EXIF orientation is k + 1, from the EXIF definition of where
 * row 0 and column 0 lie; from the fifth on, width and height are swapped.
 */
const ORIENTATIONS: readonly ((x: number, y: number) => Rgb)[] = [
  (x, y) => upright(x, y),
  (x, y) => upright(WIDTH - 1 - x, y),
  (x, y) => upright(WIDTH - 1 - x, HEIGHT - 1 - y),
  (x, y) => upright(x, HEIGHT - 1 - y),
  (x, y) => upright(y, x),
  (x, y) => upright(WIDTH - 1 - y, x),
  (x, y) => upright(WIDTH - 1 - y, HEIGHT - 1 - x),
  (x, y) => upright(y, HEIGHT - 1 - x),
];

/** Half transparent on the left, opaque on the right. */
const withAlpha = (): Sharp =>
  draw(WIDTH, HEIGHT, (x, y) => [...upright(x, y), x < WIDTH / 2 ? 0 : 255]);

/** The same pixels, stored in other ways. */
const LOSSLESS = {
  'palette.png': () => picture().png({ palette: true, colours: 4, dither: 0 }),
  'lzw.tiff': () => picture().tiff({ compression: 'lzw' }),
  'no-suffix.tif': () => picture().tiff({ compression: 'none' }),
  ...Object.fromEntries(
    ORIENTATIONS.map((stored, k) => [
      `orientation-${k + 1}.webp`,
      () =>
        draw(k < 4 ? WIDTH : HEIGHT, k < 4 ? HEIGHT : WIDTH, stored)
          .webp({ lossless: true })
          .withMetadata({ orientation: k + 1 }),
    ]),
  ),
} satisfies Record<string, () => Sharp>;

/** Nearly the same pixels. CMYK without a profile is the roughest. */
const LOSSY = {
  'quality.jpg': () => picture().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }),
  'cmyk.jpeg': () =>
    picture().toColourspace('cmyk').jpeg({ quality: 95, chromaSubsampling: '4:4:4' }),
  'heavy.avif': () => picture().avif({ quality: 90, chromaSubsampling: '4:4:4' }),
} satisfies Record<string, () => Sharp>;

const stem = (name: string) => name.replace(/\.\w+$/, '');
const decode = (name: string) => sharp(at(name)).raw().toBuffer({ resolveWithObject: true });

/** Mean colour of each quadrant, the middle of it, away from edges. */
async function quadrantsOf(name: string): Promise<number[][]> {
  const { width, height } = await sharp(at(name)).metadata();
  const size = { width: width / 4, height: height / 4 };
  const corners = [1, 5].flatMap((y) => [1, 5].map((x) => [x, y] as const));
  return Promise.all(
    corners.map(async ([x, y]) => {
      const area = { left: (x * width) / 8, top: (y * height) / 8, ...size };
      const { channels } = await sharp(
        await sharp(at(name)).extract(area).png().toBuffer(),
      ).stats();
      return channels.map(({ mean }) => mean);
    }),
  );
}

async function expectColors(
  name: string,
  expected: readonly (readonly number[])[],
  within: number,
) {
  for (const [i, mean] of (await quadrantsOf(name)).entries()) {
    for (const [c, value] of expected[i]!.entries()) {
      expect(Math.abs(mean[c]! - value), `quadrant ${i}: ${mean.join()}`).toBeLessThan(within);
    }
  }
}

describe('a folder of every kind, one of them broken', () => {
  let ended: Ended;
  beforeAll(async () => {
    mkdirSync(at('in/inner'), { recursive: true });
    await picture().png().toFile(at('in/plain.png'));
    for (const [name, make] of Object.entries({ ...LOSSLESS, ...LOSSY })) {
      await make().toFile(at(`in/${name}`));
    }
    await withAlpha().png().toFile(at('in/alpha.png'));
    const grey = draw(WIDTH, HEIGHT, (x, y) => [upright(x, y)[0]]);
    await grey.toColourspace('b-w').png().toFile(at('in/grey.png'));
    await draw(1, 1, () => [200, 40, 40])
      .png()
      .toFile(at('in/one-pixel.png'));
    writeFileSync(at('in/broken.png'), 'no picture');
    writeFileSync(at('in/notes.txt'), 'not asked for');
    copyFileSync(at('in/plain.png'), at('in/inner/deeper.png'));
    const args = ['in', '-o', 'made/out', '--tile', '16', '--adapter', 'software', '--json'];
    ended = await invsr(['upscale', ...args], { cwd });
  });

  test('the broken one is named, the exit code is 2', () => {
    const errors = eventsOf(ended.stdout).filter(({ event }) => event === 'error');
    expect(errors).toEqual([
      {
        event: 'error',
        input: join('in', 'broken.png'),
        message: expect.stringMatching(/not an image/),
      },
      { event: 'error', message: expect.stringMatching(/^1 of \d+ images could not be upscaled/) },
    ]);
    expect(ended.code).toBe(2);
  });

  test('all others are done, under their names', () => {
    const names = [
      ...Object.keys({ ...LOSSLESS, ...LOSSY }),
      'plain',
      'alpha',
      'grey',
      'one-pixel',
    ];
    expect(filesIn(at('made/out'))).toEqual(names.map((name) => `${stem(name)}.png`).toSorted());
  });

  test('a result names what it is, and stdout has nothing else', () => {
    const events = eventsOf(ended.stdout);
    expect(
      events.find(({ event, input }) => event === 'result' && input === join('in', 'plain.png')),
    ).toEqual({
      event: 'result',
      input: join('in', 'plain.png'),
      output: join('made/out', 'plain.png'),
      width: 4 * WIDTH,
      height: 4 * HEIGHT,
      milliseconds: {
        read: expect.any(Number),
        prepare: expect.any(Number),
        tiles: expect.any(Number),
        write: expect.any(Number),
        total: expect.any(Number),
      },
      adapter: expect.stringMatching(/llvmpipe|SwiftShader/),
      precision: expect.stringMatching(/^f(16|32)$/),
      peakGpuBytes: expect.any(Number),
    });
    const stages = new Set(events.map(({ stage }) => stage).filter(Boolean));
    expect([...stages]).toEqual(['load', 'compile', 'tiles', 'finish']);
  });

  test('the colours are where they were', async () => {
    await expectColors('made/out/plain.png', QUADRANTS, 30);
  });

  test.each(Object.keys(LOSSLESS))('%s gives what plain.png gives', async (name) => {
    const plain = await decode('made/out/plain.png');
    const other = await decode(`made/out/${stem(name)}.png`);
    expect(other.info).toEqual(plain.info);
    expect(other.data.equals(plain.data)).toBe(true);
  });

  test.each(Object.keys(LOSSY))('%s gives nearly that', async (name) => {
    await expectColors(`made/out/${stem(name)}.png`, QUADRANTS, 60);
  });

  test('grey stays grey', async () => {
    const levels = QUADRANTS.map(([red]) => [red, red, red]);
    await expectColors('made/out/grey.png', levels, 40);
  });

  test('alpha is kept, enlarged', async () => {
    const { channels, width, height } = await sharp(at('made/out/alpha.png')).metadata();
    expect({ channels, width, height }).toEqual({
      channels: 4,
      width: 4 * WIDTH,
      height: 4 * HEIGHT,
    });
    const alphas = (await quadrantsOf('made/out/alpha.png')).map((mean) => Math.round(mean[3]!));
    expect(alphas).toEqual([0, 255, 0, 255]);
  });

  test('one pixel gives four by four', async () => {
    const { width, height } = await sharp(at('made/out/one-pixel.png')).metadata();
    expect({ width, height }).toEqual({ width: 4, height: 4 });
  });
});

describe('formats out', () => {
  const upscale = (...args: string[]) =>
    invsr(['upscale', ...args, '--tile', '16', '--adapter', 'software'], { cwd });
  beforeAll(async () => {
    await withAlpha().png().toFile(at('alpha.png'));
    await picture().png().toFile(at('plain.png'));
  });

  test('JPEG lies on white', async () => {
    const ended = await upscale('alpha.png', '-o', 'alpha.JPG');
    expect(ended.stdout).toMatch(/^alpha\.JPG {2}96x64 in .* s on .*\(f(16|32)\)\n$/);
    expect(ended.code).toBe(0);
    expect(await sharp(at('alpha.JPG')).metadata()).toMatchObject({ format: 'jpeg', channels: 3 });
    const white = [255, 255, 255];
    await expectColors('alpha.JPG', [white, QUADRANTS[1], white, QUADRANTS[3]], 30);
  });

  test('WebP keeps alpha; the comparison is written beside', async () => {
    const ended = await upscale('alpha.png', '-o', 'alpha.webp', '--before-after', 'both.png');
    expect(ended.code).toBe(0);
    expect(await sharp(at('alpha.webp')).metadata()).toMatchObject({ format: 'webp', channels: 4 });
    expect(await sharp(at('both.png')).metadata()).toMatchObject({ width: 2 * 96 + 8, height: 64 });
  });

  test('two inputs go into a folder', async () => {
    expect((await upscale('alpha.png', 'plain.png', '-o', 'two')).code).toBe(0);
    expect(filesIn(at('two'))).toEqual(['alpha.png', 'plain.png']);
  });

  test('a file in the way of the result stays as it was until the end', async () => {
    writeFileSync(at('old.png'), 'something else');
    expect((await upscale('plain.png', '-o', 'old.png')).code).toBe(0);
    expect(await sharp(at('old.png')).metadata()).toMatchObject({ width: 96 });
  });

  test('--noise that does not fit is refused, naming the draw', async () => {
    expect((await upscale('plain.png', '-o', 'a.png', '--dump', 'd.safetensors')).code).toBe(0);
    const ended = await upscale('plain.png', '-o', 'b.png', '--noise', 'd.safetensors');
    expectRefusal(ended, 2, /no draws\.call0\.draw0, expected \[1,\d+,8,8\]; .*--tile/);
    expect(filesIn(cwd).filter((name) => /^(b\.png|.*\.part)$/.test(name))).toEqual([]);
  });

  test('an unknown adapter: those that exist are listed', async () => {
    const ended = await invsr(['upscale', 'plain.png', '-o', 'c.png', '--adapter', 'Voodoo2'], {
      cwd,
    });
    expectRefusal(ended, 2, /--adapter Voodoo2: got .*(SwiftShader|llvmpipe).*Choose one of these/);
  });

  test('with --official, an image too large for the adapter: what would fit is said', async () => {
    const size = { width: 2000, height: 4100, channels: 3, background: '#888' } as const;
    await sharp({ create: size }).png().toFile(at('large.png'));
    const ended = await upscale('large.png', '-o', 'd.png', '--official');
    expectRefusal(ended, 2, /2000x4100 pixels; .* bytes allow \d+ \(such as \d+ squared\)/);
  });
});
