/**
 * The large model on the page: offered under its terms, fetched, stopped and gone on with, in one of two
 * tabs; refused where there is no room; of no use where it is damaged. The hub is a server on this machine.
 */
import type { BrowserContext, Page, Route } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drop, openPage, serveDemoPage, shoot, violations } from '../harness/demo-page.ts';
import { startHub } from '../harness/hub-models.ts';
import type { HubServer } from '../harness/hub-server.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import type { Served } from '../harness/serve.ts';

const LARGEST = /unet\/diffusion_pytorch_model/;

let served: Served;
let hub: HubServer;
let photo: Buffer;
beforeAll(async () => {
  [served, hub, photo] = await Promise.all([
    serveDemoPage(),
    startHub(),
    sharp('examples/images/garden-lr.png').toBuffer(),
  ]);
});
afterAll(async () => {
  await served?.close();
  await hub?.stop();
});

inBrowsers((browser) => {
  /** Resolves when the largest file may come. */
  let gate: Promise<void>;
  let openGate: () => void;

  async function answer(route: Route): Promise<void> {
    const { pathname, search } = new URL(route.request().url());
    if (LARGEST.test(pathname)) await gate;
    const url = hub.endpoint + pathname + search;
    // A page that has given up does not listen.
    await route
      .fetch({ url })
      .then((response) => route.fulfill({ response }))
      .catch(() => {});
  }

  /** With a photo, and the dialog about models open. */
  async function openDialog(page: Page): Promise<void> {
    await drop(page, 'garden.png', 'image/png', photo);
    await page.getByRole('button', { name: /^Model/ }).click();
  }

  async function begin(): Promise<{ context: BrowserContext; page: Page }> {
    gate = new Promise((resolve) => (openGate = resolve));
    const page = await openPage(browser(), 'about:blank', { reducedMotion: 'reduce' });
    const context = page.context();
    await context.route(/^https:\/\/huggingface\.co\//, answer);
    await page.goto(served.url);
    await openDialog(page);
    return { context, page };
  }

  const agree = (page: Page): Promise<void> =>
    page.getByRole('checkbox', { name: /I agree/ }).check();
  const button = (page: Page, name: RegExp | string) => page.getByRole('button', { name });
  const closeDialog = async (page: Page): Promise<void> => {
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  };

  test('offered, fetched, stopped, gone on with; another tab waits; what is no model is told', async () => {
    const { context, page } = await begin();
    await using _ = context;
    const download = button(page, /^Download, \d+ kB$/);
    await download.waitFor();
    expect(await download.isDisabled()).toBe(true);
    expect(await page.getByRole('link', { name: /licen[cs]e/i }).count()).toBe(2);
    await shoot(page, 'model offered');
    expect(await violations(page)).toEqual([]);
    await agree(page);
    await download.click();
    await page.getByRole('progressbar', { name: 'Download' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await closeDialog(page);
    const model = button(page, /^Model: Nano SD-Turbo is coming, \d+ %$/);
    await model.waitFor();

    const other = await context.newPage();
    await other.goto(served.url);
    await openDialog(other);
    await agree(other);
    await button(other, /^Download|^Go on/).click();
    await other.getByText('Another tab is downloading it.').waitFor();
    await shoot(other, 'another tab');
    expect(await violations(other)).toEqual([]);
    await button(other, 'Cancel').click();
    await button(other, /^Go on with the download, \d+ kB$/).waitFor();
    await other.close();

    await model.click();
    await button(page, 'Cancel the download').click();
    await agree(page);
    await button(page, /^Go on with the download/).click();
    openGate();
    // It has come, and is used: bytes from nowhere.
    await page
      .getByRole('alert')
      .getByText(/^The model cannot be used: sd-turbo/)
      .waitFor();
    await button(page, 'Remove from this browser').click();
    await download.waitFor();
    await closeDialog(page);
    await button(page, /^Model: Nano Built in/).waitFor();
  });

  test('a private window: in memory, with a word about it', async () => {
    gate = Promise.resolve();
    const page = await openPage(browser(), 'about:blank', { reducedMotion: 'reduce' });
    const context = page.context();
    await using _ = context;
    await context.route(/^https:\/\/huggingface\.co\//, answer);
    // As Firefox has it.
    await context.addInitScript(() => {
      const getDirectory = () => Promise.reject(new DOMException('not here', 'SecurityError'));
      Object.defineProperty(navigator.storage, 'getDirectory', { value: getDirectory });
    });
    await page.goto(served.url);
    await openDialog(page);
    await page.getByText('This window keeps nothing: SD-Turbo goes when').waitFor();
    await shoot(page, 'model in memory');
    expect(await violations(page)).toEqual([]);
    await agree(page);
    await button(page, /^Download/).click();
    // It has come, and is used: bytes from nowhere.
    const alert = page.getByRole('alert').getByText(/^The model cannot be used: sd-turbo/);
    await alert.waitFor();
    await button(page, 'Remove from this browser').click();
    await button(page, /^Download, \d+ kB$/).waitFor();
  });

  test('a hub that gives nothing: why, in words', async () => {
    const page = await openPage(browser(), 'about:blank', { reducedMotion: 'reduce' });
    await using context = page.context();
    let status = 403;
    await context.route(/^https:\/\/huggingface\.co\//, (route) =>
      route.fulfill({ status, headers: { 'access-control-allow-origin': '*' } }),
    );
    await page.goto(served.url);
    await openDialog(page);
    await page.getByText(/^The model is given only to people who log in/).waitFor();
    await page.getByText(/HTTP 403: access denied/).waitFor();
    await shoot(page, 'model denied');
    status = 404;
    await button(page, 'Try again').click();
    await page.getByText(/^The model is not where this page looks for it\./).waitFor();
  });

  test('no room, before the download and at its beginning: what to do about it', async () => {
    const { context, page } = await begin();
    await using _ = context;
    openGate();
    const session = await context.newCDPSession(page);
    const { origin } = new URL(served.url);
    const limit = (quotaSize?: number) =>
      session.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize && { quotaSize }) });
    await agree(page);
    await limit(200_000);
    await button(page, /^Download/).click();
    await page
      .getByText(/^SD-Turbo needs 0\.\d MB more, .* free space on the disk.* is kept\.$/)
      .waitFor();
    await shoot(page, 'no room');
    expect(await violations(page)).toEqual([]);
    // Estimates know of it in some browsers only.
    await page.evaluate(() => {
      const estimate = async (): Promise<StorageEstimate> => ({ quota: 200_000, usage: 0 });
      Object.defineProperty(navigator.storage, 'estimate', { value: estimate, configurable: true });
    });
    await button(page, 'Try again').click();
    await page.getByText(/^It needs \d+ [kM]B, and this browser has room for 200 kB\./).waitFor();
    await limit();
    await page.evaluate(() => Reflect.deleteProperty(navigator.storage, 'estimate'));
    await closeDialog(page);
    await button(page, /^Model/).click();
    await button(page, /^Download|^Go on/).waitFor();
  });
});
