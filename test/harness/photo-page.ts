/** The page of demo/ with a small photo on it, and what a person does there: for tests of runs. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import sharp, { type Sharp } from 'sharp';
import { prepareDevice } from './device-faults.ts';
import { drop, openPage } from './demo-page.ts';

/** As the camera stored it: 24 wide, 32 high, lying on its side. */
export const [WIDTH, HEIGHT] = [32, 24];
/** SwiftShader computes, and is shared. */
export const RUN_MS = 90_000;

export interface Photo {
  readonly jpeg: Buffer;
  /** RGB as it is shown. */
  readonly upright: Buffer;
}

export async function makePhoto(): Promise<Photo> {
  const scene = sharp('examples/images/still-life-lr.png').resize(HEIGHT, WIDTH, { fit: 'fill' });
  const jpeg = await scene
    .withExif({ IFD0: { Copyright: 'Somebody' } })
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 95 })
    .toBuffer();
  return { jpeg, upright: await sharp(jpeg).rotate().removeAlpha().raw().toBuffer() };
}

/** RGB of the photo four times as large, by sharp: what no model has touched. */
export const enlarged = ({ upright }: Photo): Promise<Buffer> =>
  sharp(upright, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .resize(4 * WIDTH, 4 * HEIGHT, { kernel: 'cubic' })
    .raw()
    .toBuffer();

/** Five tiles of 32, one below the other. */
export const makeTall = (): Promise<Buffer> =>
  sharp('examples/images/still-life-lr.png').resize(32, 128, { fit: 'fill' }).png().toBuffer();

/** A photo of one colour, `times` as large as the other one. */
export const plain = (background: string, times: number): Promise<Buffer> =>
  sharp({ create: { width: times * WIDTH, height: times * HEIGHT, channels: 3, background } })
    .png()
    .toBuffer();

interface PhotoPageOptions extends BrowserContextOptions {
  /** Of the device, for one buffer. */
  readonly memoryBytes?: number;
  /** Before anything is loaded. */
  readonly prepare?: (page: Page) => Promise<void>;
}

/** The page with the photo on it, and all its options shown. */
export async function openPhoto(
  browser: Browser,
  { url, photo }: { readonly url: string; readonly photo: Photo },
  { memoryBytes = Number.MAX_SAFE_INTEGER, prepare, ...rest }: PhotoPageOptions = {},
): Promise<Page> {
  const page = await openPage(browser, 'about:blank', {
    // SwiftShader has no time for outlines that pulse while it computes: canvases stop being shown.
    reducedMotion: 'reduce',
    ...rest,
  });
  page.setDefaultTimeout(RUN_MS);
  // Downloads can be looked at, places that a person chooses cannot.
  await page.addInitScript('globalThis.showSaveFilePicker = undefined');
  await page.addInitScript(prepareDevice, memoryBytes);
  await prepare?.(page);
  await page.goto(url);
  await showPhoto(page, photo);
  return page;
}

/** The photo on a page that has none yet, and all options. */
export async function showPhoto(page: Page, { jpeg }: Photo): Promise<void> {
  await drop(page, 'IMG 7.jpg', 'image/jpeg', jpeg);
  await page.getByText(`${WIDTH} × ${HEIGHT} → ${4 * WIDTH} × ${4 * HEIGHT}`).waitFor();
  await page.getByText('More', { exact: true }).click();
}

/** Tiles of about the photo's size. */
export async function useSmallTiles(page: Page): Promise<void> {
  await page.getByLabel('Tile').selectOption('32 × 32');
}

export const alertOf = (page: Page): Promise<string | null> =>
  page.getByRole('alert').textContent();
export const statusOf = (page: Page): Promise<string | null> =>
  page.getByRole('status').textContent();

/** Starts a run. */
export async function begin(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Sharpen( again)?$/ }).click();
  await page.getByRole('progressbar').waitFor();
}

/** No run is on any more. */
export const idle = (page: Page): Promise<void> =>
  page.getByRole('button', { name: 'Cancel' }).waitFor({ state: 'detached', timeout: RUN_MS });

/** The file that the dialog for saving gives. */
export async function save(page: Page, format: string): Promise<Buffer> {
  await page.keyboard.press('Control+s');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: format }).check({ force: true });
  const press = (): Promise<void> => dialog.getByRole('button', { name: 'Save' }).click();
  const isFirefox = page.context().browser()?.browserType().name() === 'firefox';
  const bytes = await (isFirefox ? linked(page, press) : downloaded(page, press));
  await dialog.waitFor({ state: 'detached' });
  return bytes;
}

async function downloaded(page: Page, press: () => Promise<void>): Promise<Buffer> {
  const download = page.waitForEvent('download');
  await press();
  const chunks: Buffer[] = [];
  for await (const chunk of await (await download).createReadStream()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What the link for a download leads to: Firefox's downloads are not within playwright's reach. */
async function linked(page: Page, press: () => Promise<void>): Promise<Buffer> {
  await page.evaluate(() => {
    HTMLAnchorElement.prototype.click = function () {
      document.documentElement.dataset['file'] = this.href;
    };
  });
  await press();
  const html = page.locator('html[data-file]');
  await html.waitFor();
  const bytes = await html.evaluate(async (element: HTMLElement) => {
    const { file = '' } = element.dataset;
    delete element.dataset['file'];
    return Array.from(new Uint8Array(await (await fetch(file)).arrayBuffer()));
  });
  return Buffer.from(bytes);
}

/** RGB of a file. */
export const pixels = (bytes: Buffer): Promise<Buffer> =>
  sharp(bytes).removeAlpha().raw().toBuffer();

/** The canvas as it is shown. */
const shownOn = async (page: Page): Promise<Sharp> =>
  sharp(await page.locator('.viewer canvas').first().screenshot())
    .removeAlpha()
    .raw();

/** RGB of a square in the first tile of the tall photo, where the slider shows the result. */
export async function squareOf(page: Page): Promise<Buffer> {
  const canvas = await page.locator('.viewer canvas').first().boundingBox();
  if (!canvas) throw new Error('there is no canvas');
  const [left, top] = [Math.round(canvas.width / 2) + 12, Math.round(0.15 * canvas.height)];
  return (await shownOn(page)).extract({ left, top, width: 48, height: 48 }).toBuffer();
}

/** The colour in the middle of the canvas, as #rrggbb. */
export async function middleOf(page: Page): Promise<string> {
  const { data, info } = await (await shownOn(page)).toBuffer({ resolveWithObject: true });
  const at = 3 * ((info.height >> 1) * info.width + (info.width >> 1));
  return `#${data.toString('hex', at, at + 3)}`;
}

/** Mean absolute difference of values from 0 to 255. */
export function distance(a: Buffer, b: Buffer): number {
  if (a.length !== b.length) return Infinity;
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
}
