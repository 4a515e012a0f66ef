/**
 * What happens to a run on the page: too little memory, a device that is lost meanwhile, a tab that nobody sees.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveDemoPage, shoot, violations } from '../harness/demo-page.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import {
  alertOf,
  begin,
  makePhoto,
  openPhoto,
  RUN_MS,
  statusOf,
  useSmallTiles,
} from '../harness/photo-page.ts';
import type { Served } from '../harness/serve.ts';

let served: Served;
beforeAll(async () => {
  served = await serveDemoPage();
});
afterAll(() => served?.close());

inBrowsers((browser, { isFirefox }) => {
  // One page: each test goes on where the one before has ended.
  let page: Page;
  beforeAll(async () => {
    const photo = await makePhoto();
    page = await openPhoto(browser(), { url: served.url, photo }, { memoryBytes: 2 ** 20 });
  });
  afterAll(() => page?.context().close());

  test('too little memory: what helps is offered', { timeout: RUN_MS }, async () => {
    const alert = page.getByRole('alert');
    await alert.getByText('The graphics card ran out of memory.').waitFor();
    await shoot(page, 'out of memory');
    expect(await violations(page)).toEqual([]);
    await alert.getByRole('button', { name: 'Use tiles of 96' }).click();
    await expect.poll(() => page.getByLabel('Tile').inputValue()).toBe('96');
    await expect.poll(() => alertOf(page)).toBe('');
    await page.evaluate('testMemory.bytes = Infinity');
  });

  test('a lost device: the photo is there again', { timeout: RUN_MS }, async () => {
    await useSmallTiles(page);
    await begin(page);
    await page.evaluate('testDevice.destroy()');
    await page.getByRole('button', { name: 'Sharpen again' }).waitFor();
    expect(await alertOf(page)).toMatch(/was reset.*ready again/);
    await shoot(page, 'lost device');
  });

  // With the device Firefox's headless window loses its frames, which playwright's clicks wait for; unit/nudge.test.ts
  // has a hidden tab there.
  test.skipIf(isFirefox)('a hidden tab: the run ends', { timeout: RUN_MS }, async () => {
    await page.getByRole('button', { name: 'Sharpen again' }).click();
    await page.getByRole('progressbar').waitFor();
    // What browsers do to a tab that is not seen.
    const isOn = await page.evaluate(() => {
      const { setTimeout: wait } = globalThis;
      const rarely = (work: TimerHandler, ms = 0): number => wait(work, Math.max(1000, ms));
      Object.assign(globalThis, { requestAnimationFrame: () => 0, setTimeout: rarely });
      Object.defineProperty(document, 'visibilityState', { value: 'hidden' });
      Object.defineProperty(document, 'hidden', { value: true });
      document.dispatchEvent(new Event('visibilitychange'));
      return document.querySelector('[role="progressbar"]') !== null;
    });
    expect(isOn, 'the run is on when the tab is hidden').toBe(true);
    await expect.poll(() => statusOf(page), { timeout: RUN_MS }).toMatch(/^Done in /);
    // Playwright's own waiting would be for frames.
    await expect.poll(() => page.title(), { timeout: RUN_MS }).toBe('InvSR: sharpen a photo');
  });
});
