/** Class InvSR in real browsers: what applications are promised on a device of theirs. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callsInPage } from '../harness/calls.ts';
import { errorsOf } from '../harness/browsers.ts';
import { inEveryEngine } from '../harness/in-browsers.ts';
import { invsrTests } from '../harness/invsr-tests.ts';
import { serveSite, type Site } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite('invsr-page.ts');
});
afterAll(() => site?.close());

inEveryEngine((browser, { isFirefox }) => {
  async function open(page: Page): Promise<void> {
    await page.goto(site.url);
    await page.waitForFunction(() => 'app' in window);
  }

  let page: Page;
  let errors: readonly string[];
  beforeAll(async () => {
    page = await browser().newPage();
    errors = errorsOf(page);
    await open(page);
  });
  afterAll(() => expect(errors).toEqual([]));

  invsrTests({ call: callsInPage(() => page, 'app'), site: () => site });

  test('images of the page give what a texture of their values gives', async () => {
    const differences = await page.evaluate((model) => window.app.inputs(model), site.tiny);
    expect(differences).toEqual({
      ImageData: 0,
      ImageBitmap: 0,
      HTMLCanvasElement: 0,
      OffscreenCanvas: 0,
      HTMLImageElement: 0,
      VideoFrame: 0,
    });
  });

  // Firefox has none.
  test.skipIf(isFirefox)(
    'Display-P3 canvases keep their values, unless they are to be converted',
    async () => {
      const differences = await page.evaluate(() => window.app.wideColours());
      expect(differences).toMatchObject({ canvas: 0, ImageData: 0 });
      // Saturated colours: tens of levels.
      expect(differences['toSrgb']).toBeGreaterThan(10);
      expect(differences['srgbToWide']).toBeGreaterThan(10);
    },
  );

  test('a canvas without a context is transparent black, and stays without one', async () => {
    const seen = await page.evaluate((model) => window.app.blankCanvas(model), site.tiny);
    expect(seen).toEqual([
      { apart: 0, isFree: true },
      { apart: 0, isFree: true },
    ]);
  });

  test("the caller's frames go on between our submits", async () => {
    const result = await page.evaluate((model) => window.app.renderLoop(model), site.tiny);
    const { ahead, submits, longTasks, canSeeLongTasks } = result;
    expect(submits).toBeGreaterThan(10);
    // Enough of them to see several at once, were there ever: bursts of five stand before most frames.
    expect(ahead.length).toBeGreaterThan(5);
    expect(Math.max(...ahead)).toBe(1);
    // Over 50 ms. Told, not asserted: where all cores are busy, a page waits for one in any task.
    expect(canSeeLongTasks).toBe(!isFirefox);
    if (longTasks.length > 0) console.warn(`main-thread tasks of ${longTasks.join(', ')} ms`);
  });

  test('without WebGPU the library loads, and says what is missing', async () => {
    await using bare = await browser().newPage();
    await bare.addInitScript(() => {
      Object.defineProperty(navigator, 'gpu', { value: undefined });
      for (const name of Object.getOwnPropertyNames(window)) {
        if (name.startsWith('GPU')) Reflect.deleteProperty(window, name);
      }
    });
    await open(bare);
    const error = await bare.evaluate((model) => window.app.without(model), site.tiny);
    expect(error).toMatchObject({
      name: 'DeviceError',
      message: expect.stringMatching(/^there is no WebGPU here/),
    });
  });

  // The last one: no device of the browser outlives it.
  test.skipIf(isFirefox)(
    'the GPU process gone in the middle: a typed error, and a new device works',
    async () => {
      await using own = await browser().newPage();
      await open(own);
      await own.evaluate((model) => window.app.startForCrash(model), site.tiny);
      await (await browser().newBrowserCDPSession()).send('Browser.crashGpuProcess');
      const result = await own.evaluate((model) => window.app.afterCrash(model), site.tiny);
      expect(result).toMatchObject({ error: { name: 'DeviceLostError' }, bytes: 4 * 64 * 52 });
    },
  );
});
