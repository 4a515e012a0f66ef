/**
 * The examples, built and served by their one command and used as a person would: each shows what it
 * promises, in the pixels of its canvas.
 */
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { errorsOf } from '../harness/browsers.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import { servedBy } from '../harness/served-by.ts';

/** `npm run examples -- NAME` and its address. */
const served = (name: string) => servedBy(['scripts/examples.mjs', name, '--port', '0']);

const status = async (page: Page, wanted: RegExp): Promise<string> => {
  await page.waitForFunction(
    (source) => new RegExp(source).test(document.querySelector('#status')?.textContent ?? ''),
    wanted.source,
    { timeout: 170_000 },
  );
  return (await page.textContent('#status')) ?? '';
};

/** Levels of R, G, B over a rectangle of the window, in CSS pixels: one mean per cell of `cells`². */
async function cells(
  page: Page,
  clip: { x: number; y: number; width: number; height: number },
  cells: number,
): Promise<number[]> {
  const picture = sharp(await page.screenshot({ clip })).removeAlpha();
  return [
    ...(await picture.resize(cells, cells, { fit: 'fill', kernel: 'linear' }).raw().toBuffer()),
  ];
}

/** Which files a model's folder has is tried, and Chromium calls each that is not there an error. */
const isReal = (error: string): boolean => !error.startsWith('Failed to load resource');

const meanDifference = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;

/** What a page has drawn is on the screen some frames later, and those are slow here. */
const shows = (read: () => Promise<number>) => expect.poll(read, { timeout: 30_000 });

const box = async (page: Page, selector: string) => (await page.locator(selector).boundingBox())!;

/** A page with few frames: SwiftShader draws them on the cores that compute. */
async function openPage(browser: Browser, height: number): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 700, height } });
  await page.addInitScript(() => {
    const next = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (draw) => Number(setTimeout(() => next(draw), 200));
  });
  return page;
}

inBrowsers((browser) => {
  test('raw-webgpu: a click sharpens the square under the pointer, and frames go on', async () => {
    await using site = await served('raw-webgpu');
    await using page = await openPage(browser(), 820);
    const errors = errorsOf(page);
    await page.goto(`${site.url}?side=32`);
    await status(page, /^Ready/);
    const view = await box(page, '#view');
    // Four CSS pixels for one of the picture: the square is [48, 80) both ways.
    const inside = { x: view.x + 192, y: view.y + 192, width: 128, height: 128 };
    const below = { x: view.x, y: view.y + 330, width: 512, height: 170 };
    const before = [await cells(page, inside, 128), await cells(page, below, 160)] as const;
    await page.click('#view', { position: { x: 256, y: 256 } });
    await page.mouse.move(2, 2);
    const said = await status(page, /^32×32 → 128×128 in/);
    expect(Number(/(\d+) frames/.exec(said)?.[1])).toBeGreaterThan(2);
    const changed = async () => meanDifference(await cells(page, inside, 128), before[0]);
    await shows(changed).toBeGreaterThan(1);
    expect(await cells(page, below, 160)).toEqual(before[1]);
    expect(errors.filter(isReal)).toEqual([]);
  }, 180_000);

  test('three-viewer: the rendered frame in, its colours and the right way up on a plane', async () => {
    await using site = await served('three-viewer');
    await using page = await openPage(browser(), 700);
    const errors = errorsOf(page);
    await page.goto(`${site.url}?side=32`);
    await status(page, /^Ready/);
    await page.click('#sharpen');
    const said = await status(page, /^32×32 → 128×128 in/);
    expect(Number(/(\d+) frames/.exec(said)?.[1])).toBeGreaterThan(2);
    const { x, y, width, height } = await box(page, '#view');
    const apart = async () => {
      const left = await cells(page, { x, y, width: width / 2, height }, 4);
      const right = await cells(page, { x: x + width / 2, y, width: width / 2, height }, 4);
      return meanDifference(left, right);
    };
    // The scene turns on: 5 levels. Upside down it would be 45, with an sRGB curve too many 49.
    await shows(apart).toBeLessThan(20);
    expect(errors.filter(isReal)).toEqual([]);
  }, 180_000);

  test('deck-luma: a tile in view becomes sharp on the map', async () => {
    await using site = await served('deck-luma');
    await using page = await openPage(browser(), 360);
    const errors = errorsOf(page);
    await page.goto(`${site.url}?tile=32`);
    await status(page, /^0 of/);
    const map = await box(page, '#map');
    const before = await cells(page, map, 160);
    await status(page, /^1 of/);
    const gained = async () =>
      Math.max(...(await cells(page, map, 160)).map((value, i) => value - before[i]!));
    await shows(gained).toBeGreaterThan(10);
    expect(errors.filter(isReal)).toEqual([]);
  }, 180_000);

  test('worker: a picked photo is drawn on the canvas, the page stays free', async () => {
    await using site = await served('worker');
    await using page = await openPage(browser(), 820);
    const errors = errorsOf(page);
    await page.goto(`${site.url}?tile=32`);
    await status(page, /^Ready/);
    const photo = await sharp('examples/images/still-life-lr.png')
      .extract({ left: 32, top: 32, width: 32, height: 32 })
      .png()
      .toBuffer();
    await page.setInputFiles('#photo', { name: 'a.png', mimeType: 'image/png', buffer: photo });
    await status(page, /^32×32 → 128×128 in/);
    const given = await sharp(photo)
      .removeAlpha()
      .resize(16, 16, { kernel: 'linear' })
      .raw()
      .toBuffer();
    // Its colours: the fix keeps means over many pixels; a blank canvas is a hundred levels away.
    const off = async () =>
      meanDifference(await cells(page, await box(page, '#view'), 16), [...given]);
    await shows(off).toBeLessThan(12);
    expect(errors.filter(isReal)).toEqual([]);
  }, 180_000);
});
