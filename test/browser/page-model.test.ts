/**
 * Other models on the page. The large one: offered under its terms, fetched, stopped and gone on with, in one of
 * two tabs; used, and there again after a reload; refused where there is no room; of no use where it is damaged.
 * One's own from a folder. The hub is a server on this machine, the models are tiny ones.
 */
import { rmSync } from 'node:fs';
import type { Locator, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveDemoPage, shoot, violations } from '../harness/demo-page.ts';
import { startHub } from '../harness/hub-models.ts';
import type { HubServer } from '../harness/hub-server.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import {
  dropFolder,
  expectTinyPredictor,
  startWorkingHub,
  writeModel,
} from '../harness/page-models.ts';
import {
  alertOf,
  begin,
  distance,
  enlarged,
  idle,
  makePhoto,
  openPhoto,
  type Photo,
  pixels,
  RUN_MS,
  save,
  showPhoto,
  statusOf,
  useSmallTiles,
} from '../harness/photo-page.ts';
import type { Served } from '../harness/serve.ts';

const HUB = /^https:\/\/huggingface\.co\//;

let served: Served;
/** What comes from it is no model. */
let brokenHub: HubServer;
let photo: Photo;
beforeAll(async () => {
  [served, brokenHub, photo] = await Promise.all([
    serveDemoPage({ change: expectTinyPredictor }),
    startHub(),
    makePhoto(),
  ]);
});
afterAll(async () => {
  await served?.close();
  await brokenHub?.stop();
});

inBrowsers((browser) => {
  /** With the photo on it, before anything else; `gate` holds the largest file back. */
  const open = (
    hub: HubServer,
    { gate, prepare }: { gate?: Promise<void>; prepare?: (page: Page) => Promise<void> } = {},
  ): Promise<Page> =>
    openPhoto(
      browser(),
      { url: served.url, photo },
      {
        async prepare(page) {
          await prepare?.(page);
          await page.context().route(HUB, async (route) => {
            const { pathname, search } = new URL(route.request().url());
            if (/unet\/diffusion_pytorch_model/.test(pathname)) await gate;
            // A page that has given up does not listen.
            await route
              .fetch({ url: hub.endpoint + pathname + search })
              .then((response) => route.fulfill({ response }))
              .catch(() => {});
          });
        },
      },
    );

  const button = (page: Page, name: RegExp | string): Locator => page.getByRole('button', { name });
  const openDialog = (page: Page): Promise<void> => button(page, /^Model/).click();
  const closeDialog = async (page: Page): Promise<void> => {
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  };
  const agree = (page: Page): Promise<void> =>
    page.getByRole('checkbox', { name: /I agree/ }).check();

  // One page: each test goes on where the one before has ended.
  describe('SD-Turbo', () => {
    let hub: HubServer;
    let page: Page;
    /** Another tab. */
    let other: Page;
    let openGate: () => void;
    /** By the large model. */
    let sharp: Buffer;
    beforeAll(async () => {
      hub = await startWorkingHub();
      const gate = new Promise<void>((resolve) => (openGate = resolve));
      page = await open(hub, { gate });
      await useSmallTiles(page);
    });
    afterAll(async () => {
      await page?.context().close();
      await hub?.stop();
    });

    /** Of the photo now. */
    async function sharpened(): Promise<Buffer> {
      await begin(page);
      await idle(page);
      expect([await alertOf(page), await statusOf(page)]).toEqual([
        '',
        expect.stringMatching(/^Done in /),
      ]);
      return pixels(await save(page, 'PNG'));
    }

    test('offered, fetched, stopped, gone on with; another tab waits', async () => {
      await openDialog(page);
      const download = button(page, /^Download, \d+ MB$/);
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
      await button(page, /^Model: Nano SD-Turbo is coming, \d+ %$/).waitFor();

      other = await page.context().newPage();
      await other.goto(served.url);
      await showPhoto(other, photo);
      await openDialog(other);
      await agree(other);
      await button(other, /^Download|^Go on/).click();
      await other.getByText('Another tab is downloading it.').waitFor();
      await shoot(other, 'another tab');
      expect(await violations(other)).toEqual([]);
      await button(other, 'Cancel').click();
      await button(other, /^Go on with the download, \d+ [kM]B$/).waitFor();
      await closeDialog(other);

      await openDialog(page);
      await button(page, 'Cancel the download').click();
      await agree(page);
      await button(page, /^Go on with the download/).click();
      openGate();
      for (const tab of [page, other]) {
        if (tab === other) await openDialog(tab);
        await button(tab, 'Remove from this browser').waitFor();
        await closeDialog(tab);
      }
      await button(page, /^Model: SD-Turbo Large/).waitFor();
    });

    test('used: the picture is not the built-in one’s', { timeout: RUN_MS }, async () => {
      sharp = await sharpened();
      await shoot(page, 'SD-Turbo');
      // The tiny model's weights are noise; the built-in one's picture is less than 12 away (page-run.test.ts).
      expect(distance(sharp, await enlarged(photo))).toBeGreaterThan(30);
    });

    test('there after a reload, without the network', { timeout: RUN_MS }, async () => {
      const { length } = hub.requests;
      await page.reload();
      await showPhoto(page, photo);
      await useSmallTiles(page);
      await openDialog(page);
      await button(page, /^SD-Turbo/).click();
      expect(await sharpened()).toEqual(sharp);
      expect(hub.requests).toHaveLength(length);
    });

    test("one's own, the same files in a folder that is dropped", { timeout: RUN_MS }, async () => {
      const folder = await writeModel();
      try {
        await dropFolder(page, folder);
        await page.getByRole('alert').getByText('Your model is in use from now on.').waitFor();
        await button(page, /^Model: Your model From your files$/).waitFor();
        expect(await sharpened()).toEqual(sharp);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    test('removed, which the other tab sees', async () => {
      await openDialog(page);
      await button(page, 'Remove from this browser').click();
      await openDialog(other);
      for (const tab of [page, other]) await button(tab, /^Download, \d+ MB$/).waitFor();
    });
  });

  test('a private window: in memory, with a word about it; what is no model is told', async () => {
    const page = await open(brokenHub, {
      prepare: (p) =>
        // As Firefox has it.
        p
          .addInitScript(() => {
            const getDirectory = () =>
              Promise.reject(new DOMException('not here', 'SecurityError'));
            Object.defineProperty(navigator.storage, 'getDirectory', { value: getDirectory });
          })
          .then(() => {}),
    });
    await using _ = page.context();
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
    await closeDialog(page);
    await button(page, /^Model: Nano Built in/).waitFor();
  });

  test('a hub that gives nothing: why, in words; no room, before the download and at its beginning: what to do', async () => {
    const page = await open(brokenHub);
    await using context = page.context();
    let status = 403;
    const refuse = (route: Route): Promise<void> =>
      route.fulfill({ status, headers: { 'access-control-allow-origin': '*' } });
    await context.route(HUB, refuse);
    await openDialog(page);
    await page.getByText(/^The model is given only to people who log in/).waitFor();
    await page.getByText(/HTTP 403: access denied/).waitFor();
    await shoot(page, 'model denied');
    status = 404;
    await button(page, 'Try again').click();
    await page.getByText(/^The model is not where this page looks for it\./).waitFor();
    await context.unroute(HUB, refuse);
    await button(page, 'Try again').click();

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
    await openDialog(page);
    await button(page, /^Download|^Go on/).waitFor();
  });
});
