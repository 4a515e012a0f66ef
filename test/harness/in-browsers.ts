/**
 * A block of tests for real browsers:
 *
 *   inBrowsers((browser) => {
 *     test('…', async () => {
 *       await using page = await browser().newPage();
 *
 * A start costs seconds: one browser per file, a page per test. And all of it twice costs minutes: another
 * browser of the same engine takes what depends on its flags, its WebGPU and its page (`inAllBrowsers`), one
 * of another engine some more (`inEveryEngine`), unless INVSR_TEST_BROWSER asks for all.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { adapterOf, BROWSERS, isFirefox, openBrowser, WHOLE } from './browsers.ts';
import type { AdapterName } from './device.ts';

export interface BrowserKind {
  /** It takes all tests: `describe.runIf(isWhole)` has those that the others do not. */
  readonly isWhole: boolean;
  /** Of another engine than the first. */
  readonly isFirefox: boolean;
  readonly adapter: AdapterName;
}

/** `browser()` is open while the tests run. */
type Tests = (browser: () => Browser, kind: BrowserKind) => void;

/** In those that take every test. */
export const inBrowsers = (tests: Tests): void => inEach(WHOLE, tests);

/** In those, and in one of every other engine. */
export const inEveryEngine = (tests: Tests): void =>
  inEach([...new Set([...WHOLE, ...BROWSERS.filter(isFirefox)])], tests);

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
    tests(() => browser, {
      isWhole: WHOLE.includes(name),
      isFirefox: isFirefox(name),
      adapter: adapterOf(name),
    });
  });
}
