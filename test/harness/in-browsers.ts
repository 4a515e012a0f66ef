/**
 * A block of tests for every browser at hand:
 *
 *   inBrowsers((browser) => {
 *     test('…', async () => {
 *       await using page = await browser().newPage();
 *
 * A start costs seconds: one browser per file, a page per test.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { BROWSERS, openBrowser } from './chromium.ts';

/** `browser()` is open while the tests run. */
export function inBrowsers(tests: (browser: () => Browser) => void): void {
  if (BROWSERS.length === 0) test.skip('no browser at hand');
  describe.each(BROWSERS)('in %s', (name) => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await openBrowser(name);
    });
    afterAll(() => browser?.close());
    tests(() => browser);
  });
}
