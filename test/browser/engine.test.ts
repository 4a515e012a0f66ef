/** The engine in real browsers. The adapter is SwiftShader, as in Node. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { callsInPage } from '../harness/calls.ts';
import { errorsOf } from '../harness/chromium.ts';
import { GOLDENS, kernelTests, pathTests } from '../harness/engine-tests.ts';
import { inAllBrowsers } from '../harness/in-browsers.ts';
import { serveSite, type Site } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite('engine-page.ts');
});
afterAll(() => site?.close());

inAllBrowsers((browser, isWhole) => {
  let page: Page;
  let errors: readonly string[];
  beforeAll(async () => {
    page = await browser().newPage();
    errors = errorsOf(page);
    await page.goto(site.url);
    await page.waitForFunction(() => 'engine' in window);
  });
  afterAll(() => expect(errors).toEqual([]));

  const call = callsInPage(() => page, 'engine');
  const target = { shaderF16: false, subgroupSize: 4 };
  kernelTests({ call, target, families: isWhole ? ['cpu', 'alu'] : [] });
  pathTests({
    call,
    site: () => site,
    adapter: 'swiftshader',
    name: 'page',
    goldens: GOLDENS,
    precision: 'f32',
  });
});
