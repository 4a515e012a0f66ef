/** The engine in real browsers, on the adapter that Node has too: SwiftShader, or lavapipe. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { callsInPage } from '../harness/calls.ts';
import { errorsOf } from '../harness/browsers.ts';
import { GOLDENS, kernelTests, pathTests } from '../harness/engine-tests.ts';
import { inAllBrowsers } from '../harness/in-browsers.ts';
import { serveSite, type Site } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite('engine-page.ts');
});
afterAll(() => site?.close());

inAllBrowsers((browser, { isWhole, isFirefox, adapter }) => {
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
  const shaderF16 = adapter === 'lavapipe';
  // Firefox's wgpu has no subgroups.
  const target = { shaderF16, subgroupSize: isFirefox ? 0 : 4 };
  const families = isWhole || isFirefox ? (['cpu', 'alu'] as const) : [];
  kernelTests({ call, target, families });
  pathTests({
    call,
    site: () => site,
    adapter,
    name: 'page',
    goldens: GOLDENS,
    precision: shaderF16 ? 'f16' : 'f32',
  });
});
