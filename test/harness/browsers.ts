/**
 * Headless browsers with WebGPU on software adapters for tests of pages, through playwright-core: Chromium
 * from @sparticuz/chromium; Debian's and Firefox where they are installed, for some of the tests.
 * INVSR_TEST_BROWSER names those that take all of them: `npm`, paths, several with commas between, or nothing.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { packageRoot } from '../../src/engine/swiftshader.ts';
import { NPM, openChromium } from './chromium.ts';
import { firefoxAdapter, openFirefox } from './firefox.ts';
import type { AdapterName } from './device.ts';

/** Debian's: the first that is there. In the second, headless, canvases do not show what WebGPU drew on SwiftShader. */
const CHROMIUM = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];
const FIREFOX = ['/usr/bin/firefox', '/usr/bin/firefox-esr'];

const ASKED = process.env['INVSR_TEST_BROWSER'];

/** Browsers at hand: `npm`, or the path of an executable. */
export const BROWSERS: readonly string[] = browsers();

/** Those that take every test; the others take some (in-browsers.ts). */
export const WHOLE: readonly string[] = ASKED === undefined ? BROWSERS.slice(0, 1) : BROWSERS;

function browsers(): string[] {
  if (ASKED !== undefined) return ASKED.split(',').filter((name) => name !== '');
  const skip = (why: string): string[] => {
    console.warn(`browser: SKIPPED ${why}`);
    return [];
  };
  const installed = (paths: readonly string[]): string[] => {
    const found = paths.find((path) => existsSync(path));
    return found === undefined ? skip(`${paths.join(', ')}: not installed`) : [found];
  };
  return [
    ...(packageRoot() === undefined
      ? skip('Chromium from npm: @sparticuz/chromium is not installed, or not for this system')
      : [NPM]),
    ...installed(CHROMIUM),
    ...installed(FIREFOX),
  ];
}

export const isFirefox = (name: string): boolean => basename(name).startsWith('firefox');

/** What a browser here computes on. */
export const adapterOf = (name: string): AdapterName =>
  isFirefox(name) ? firefoxAdapter : 'swiftshader';

/** Rejects where it is not there or does not start. */
export const openBrowser = (name = BROWSERS[0] ?? NPM): Promise<Browser> =>
  isFirefox(name) ? openFirefox(name) : openChromium(name);

/** Exceptions and console errors of a page from now on. */
export function errorsOf(page: Page): readonly string[] {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  return errors;
}
