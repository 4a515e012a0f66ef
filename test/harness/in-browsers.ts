/**
 * A block of tests for real browsers:
 *
 *   inBrowsers((browser) => {
 *     test('…', async () => {
 *       await using page = await browser().newPage();
 *
 * A start costs seconds: one browser per file, a page per test. And all of it twice costs minutes: a
 * second browser of the same engine takes what depends on its flags, its WebGPU and its page
 * (`inAllBrowsers`), unless INVSR_TEST_BROWSER asks for more.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { BROWSERS, openBrowser, WHOLE } from './chromium.ts';

/**
 * `browser()` is open while the tests run. `isWhole`: it takes all of them, `describe.runIf(isWhole)` has
 * those that a second one does not.
 */
type Tests = (browser: () => Browser, isWhole: boolean) => void;

/** In those that take every test. */
export const inBrowsers = (tests: Tests): void => inEach(WHOLE, tests);

/** In every browser at hand. */
export const inAllBrowsers = (tests: Tests): void => inEach(BROWSERS, tests);

function inEach(names: readonly string[], tests: Tests): void {
  if (names.length === 0) test.skip('no browser at hand');
  describe.each(names)('in %s', (name) => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await openBrowser(name);
    });
    afterAll(() => browser?.close());
    tests(() => browser, WHOLE.includes(name));
  });
}
