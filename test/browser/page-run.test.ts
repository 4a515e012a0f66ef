/**
 * The page at work, as a person uses it: a photo dropped, sharpened, stopped, compared, a part tried
 * again, saved; a device that is lost meanwhile. Small photos and tiles: SwiftShader computes them.
 */
import type { BrowserContextOptions, Download, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorsOf } from '../harness/chromium.ts';
import { drop, serveDemoPage, shoot, violations } from '../harness/demo-page.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import type { Served } from '../harness/serve.ts';

/** As the camera stored it: 24 wide, 32 high, lying on its side. */
const [WIDTH, HEIGHT] = [32, 24];
const RUN_MS = 90_000;

let served: Served;
let photo: Buffer;
let upright: Buffer;
beforeAll(async () => {
  served = await serveDemoPage();
  const scene = sharp('examples/images/still-life-lr.png').resize(HEIGHT, WIDTH, { fit: 'fill' });
  photo = await scene
    .withExif({ IFD0: { Copyright: 'Somebody' } })
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 95 })
    .toBuffer();
  upright = await sharp(photo).rotate().removeAlpha().raw().toBuffer();
});
afterAll(() => served?.close());

const PURPLE = '#602090';

/** A photo of one colour, `times` as large as the other one. */
const plain = (background: string, times: number): Promise<Buffer> =>
  sharp({ create: { width: times * WIDTH, height: times * HEIGHT, channels: 3, background } })
    .png()
    .toBuffer();

/** The colour in the middle of the canvas, as #rrggbb. */
async function middleOf(page: Page): Promise<string> {
  const { data, info } = await sharp(await page.locator('.viewer canvas').first().screenshot())
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const at = 3 * ((info.height >> 1) * info.width + (info.width >> 1));
  return `#${data.toString('hex', at, at + 3)}`;
}

const bytesOf = async (download: Download): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

/** Mean absolute difference of values from 0 to 255. */
const distance = (a: Buffer, b: Buffer): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
};

inBrowsers((browser) => {
  /** With the photo on it, and tiles of its size. */
  async function openPhoto(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser().newContext({
      viewport: { width: 1280, height: 800 },
      serviceWorkers: 'block',
      // SwiftShader has no time for outlines that pulse while it computes: canvases stop being shown.
      reducedMotion: 'reduce',
      ...options,
    });
    const page = await context.newPage();
    await page.addInitScript(() => {
      // Downloads can be looked at, files that a person places cannot.
      Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined });
    });
    // To be lost on purpose.
    await page.addInitScript(`
      const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...given) {
        return (globalThis.testDevice = await request.apply(this, given));
      };
    `);
    await page.goto(served.url);
    await drop(page, 'IMG 7.jpg', 'image/jpeg', photo);
    await page.getByText(`${WIDTH} × ${HEIGHT} → ${4 * WIDTH} × ${4 * HEIGHT}`).waitFor();
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Tile').selectOption('32 × 32');
    return page;
  }

  const idle = (page: Page): Promise<void> =>
    page.getByRole('button', { name: 'Cancel' }).waitFor({ state: 'detached', timeout: RUN_MS });
  const begin = async (page: Page): Promise<void> => {
    await page.getByRole('button', { name: /^Sharpen( again)?$/ }).click();
    await page.getByRole('progressbar').waitFor();
  };
  const save = async (page: Page, format: string): Promise<Buffer> => {
    await page.keyboard.press('Control+s');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('radio', { name: format }).check({ force: true });
    const download = page.waitForEvent('download');
    await dialog.getByRole('button', { name: 'Save' }).click();
    const bytes = await bytesOf(await download);
    await dialog.waitFor({ state: 'detached' });
    return bytes;
  };
  const pixels = (bytes: Buffer): Promise<Buffer> => sharp(bytes).removeAlpha().raw().toBuffer();

  test(
    'drop, run, stop, run, compare, try a part again, undo, save',
    async () => {
      const page = await openPhoto();
      await using _ = page.context();
      const errors = errorsOf(page);
      const [large, small] = [await plain('#10a040', 100), await plain(PURPLE, 1)];

      await begin(page);
      await page.waitForFunction(() => /^\d+ % · InvSR$/.test(document.title));
      await page.keyboard.press('Escape');
      await idle(page);
      expect(await page.getByRole('alert').textContent()).toBe('');
      expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);

      // Another photo takes the place of the one at work, and is planned; of two the later one stays.
      await begin(page);
      await page.waitForFunction(() => /^\d+ % · InvSR$/.test(document.title));
      await drop(page, 'large.png', 'image/png', large);
      await drop(page, 'small.png', 'image/png', small);
      await page.getByRole('heading', { name: 'small' }).waitFor();
      await idle(page);
      await page.getByTitle('Memory that a run takes').waitFor();
      await expect.poll(() => middleOf(page), { timeout: RUN_MS }).toBe(PURPLE);
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('small');
      expect(await page.getByRole('alert').textContent()).toBe('');
      await drop(page, 'IMG 7.jpg', 'image/jpeg', photo);
      await page.getByRole('heading', { name: 'IMG 7' }).waitFor();

      await begin(page);
      await idle(page);
      expect(await page.getByRole('status').textContent()).toMatch(/^Done in /);
      expect(await page.title()).toBe('InvSR: sharpen a photo');
      await shoot(page, 'result');
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press('Control+s');
      await page.getByRole('dialog', { name: 'Save' }).waitFor();
      await shoot(page, 'save');
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });

      // Compare, by keyboard.
      const slider = page.getByRole('slider', { name: 'Compare before and after' });
      await slider.focus();
      await page.keyboard.press('Home');
      await expect.poll(() => slider.getAttribute('aria-valuenow')).toBe('0');
      await page.getByRole('radio', { name: 'Lens' }).check({ force: true });
      await shoot(page, 'lens');

      const first = await save(page, 'PNG');
      const facts = await sharp(first).metadata();
      expect([facts.width, facts.height, facts.orientation]).toEqual([4 * WIDTH, 4 * HEIGHT, 1]);
      expect(facts.exif?.toString('latin1')).toContain('Somebody');
      expect(facts.xmp?.toString()).toMatch(/compositeWithTrainedAlgorithmicMedia[^]*12345/);
      // The photo, upright, with its colours: reduced again it is what it was, but for detail.
      const reduced = await sharp(first)
        .removeAlpha()
        .resize(WIDTH, HEIGHT, { kernel: 'linear' })
        .raw()
        .toBuffer();
      const flipped = await sharp(photo).rotate().flop().removeAlpha().raw().toBuffer();
      expect(distance(reduced, upright)).toBeLessThan(12);
      expect(distance(reduced, flipped)).toBeGreaterThan(24);
      for (const format of ['JPEG', 'WebP']) {
        const other = await save(page, format);
        expect((await sharp(other).metadata()).format).toBe(format.toLowerCase());
        expect(distance(await pixels(other), await pixels(first))).toBeLessThan(4);
      }

      // A part of it with another seed.
      await page.getByRole('radio', { name: 'Result' }).check({ force: true });
      await page.getByRole('button', { name: 'Select a part' }).click();
      const box = await page.locator('.viewer').boundingBox();
      if (!box) throw new Error('there is no viewer');
      const middle = [box.x + box.width / 2, box.y + box.height / 2] as const;
      await page.mouse.move(middle[0] - 100, middle[1] - 100);
      await page.mouse.down();
      await page.mouse.move(middle[0] + 60, middle[1] + 80, { steps: 4 });
      await page.mouse.up();
      await page.getByRole('button', { name: 'Try this part again' }).click();
      await page.getByRole('button', { name: 'Undo' }).waitFor({ timeout: RUN_MS });
      await shoot(page, 'part');
      expect(await violations(page)).toEqual([]);
      const second = await save(page, 'PNG');
      const [a, b] = [await pixels(first), await pixels(second)];
      const changed = (x: number, y: number): boolean => {
        const at = 3 * (y * 4 * WIDTH + x);
        return a.compare(b, at, at + 3, at, at + 3) !== 0;
      };
      const all = Array.from({ length: 16 * WIDTH * HEIGHT }, (_, i) =>
        changed(i % (4 * WIDTH), Math.floor(i / (4 * WIDTH))),
      );
      const share = all.filter(Boolean).length / all.length;
      expect(share).toBeGreaterThan(0.01);
      expect(share).toBeLessThan(0.5);
      expect([changed(0, 0), changed(4 * WIDTH - 1, 4 * HEIGHT - 1)]).toEqual([false, false]);
      await page.keyboard.press('Control+z');
      expect(await pixels(await save(page, 'PNG'))).toEqual(a);
      expect(errors).toEqual([]);
    },
    4 * RUN_MS,
  );

  test(
    'a lost device: the photo is there again, and can be sharpened',
    async () => {
      const page = await openPhoto();
      await using _ = page.context();
      await begin(page);
      await page.evaluate(() =>
        (globalThis as unknown as { testDevice: GPUDevice }).testDevice.destroy(),
      );
      const again = page.getByRole('button', { name: 'Sharpen again' });
      await again.waitFor({ timeout: RUN_MS });
      expect(await page.getByRole('alert').textContent()).toMatch(/was reset.*ready again/);
      await shoot(page, 'lost device');
      await again.click();
      await page.getByRole('progressbar').waitFor();
      await idle(page);
      expect(await page.getByRole('status').textContent()).toMatch(/^Done in /);
    },
    2 * RUN_MS,
  );

  test(
    'what I look at: zoomed in, only that is computed, and it can be saved over the rest',
    async () => {
      const page = await openPhoto();
      await using _ = page.context();
      for (let i = 0; i < 3; i++) await page.getByRole('button', { name: 'Zoom in' }).click();
      await page.getByRole('switch', { name: 'Sharpen what I look at' }).check();
      await page.getByRole('progressbar').waitFor();
      // Other options meanwhile: the same part begins anew with those.
      await page.getByRole('textbox', { name: 'Seed' }).fill('777');
      await page.keyboard.press('Enter');
      await expect
        .poll(() => page.getByRole('status').textContent(), { timeout: RUN_MS })
        .toBe('This part is sharp');
      await shoot(page, 'what I look at');
      const saved = await save(page, 'PNG');
      expect((await sharp(saved).metadata()).xmp?.toString()).toContain('777');
      const enlarged = await sharp(upright, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
        .resize(4 * WIDTH, 4 * HEIGHT, { kernel: 'cubic' })
        .raw()
        .toBuffer();
      const part = (bytes: Buffer, left: number, top: number): Promise<Buffer> =>
        sharp(bytes, { raw: { width: 4 * WIDTH, height: 4 * HEIGHT, channels: 3 } })
          .extract({ left, top, width: 16, height: 16 })
          .raw()
          .toBuffer();
      const result = await pixels(saved);
      const [corner, centre] = await Promise.all(
        [
          [0, 0],
          [2 * WIDTH - 8, 2 * HEIGHT - 8],
        ].map(async ([x = 0, y = 0]) =>
          distance(await part(result, x, y), await part(enlarged, x, y)),
        ),
      );
      // Enlarged by two programs, and made anew by the model.
      expect(corner).toBeLessThan(3);
      expect(centre).toBeGreaterThan(corner ?? 0);
    },
    2 * RUN_MS,
  );
});
