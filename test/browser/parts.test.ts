/** Photos that are too large to be made at once: sheet by sheet, run by run, on the page of demo/. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorsOf } from '../harness/browsers.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import { serveSite, type Site } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite('parts-page.ts');
});
afterAll(() => site?.close());

inBrowsers((browser) => {
  let page: Page;
  let errors: readonly string[];
  beforeAll(async () => {
    page = await browser().newPage();
    errors = errorsOf(page);
    await page.goto(site.url);
    await page.waitForFunction(() => 'parts' in window);
  });
  afterAll(() => expect(errors).toEqual([]));

  test('a result in many sheets is the one in a single sheet, and a region of it can be saved', async () => {
    const seen = await page.evaluate((model) => window.parts.sheets(model), site.tiny);
    expect(seen).toEqual({ count: 8, apart: 0, cut: 0, both: 0 });
  });

  test.each([
    ['', 4, undefined],
    [', reduced, with a hole', 2, { x: 200, y: 240, width: 60, height: 30 }],
  ] as const)('a PNG in several pieces is as all drawn at once%s', async (_, scale, hole) => {
    const seen = await page.evaluate(([model, by, cut]) => window.parts.saved(model, by, cut), [
      site.tiny,
      scale,
      hole,
    ] as const);
    const { apart, alphaApart, ...rest } = seen;
    const alphas = [hole !== undefined, hole !== undefined, true];
    expect(rest).toEqual({ pieces: 4, alphas, changed: 'PictureError' });
    // Its own alpha, where it is sharp and where it is not; blending rounds.
    expect(alphaApart).toBeLessThanOrEqual(hole ? 1 : 0);
    // Firefox rounds the soft rim of a hole once more.
    expect(apart).toBeLessThanOrEqual(hole ? 1 : 0);
  });

  test('stopped or out of memory, it keeps what is done and goes on from there; a part again, undone; another model', async () => {
    const seen = await page.evaluate((model) => window.parts.runs(model), site.tiny);
    expect(seen).toEqual({
      // Where each run begins, from the middle outwards; its number and their count.
      order: [
        [16, 0, 3],
        [0, 1, 3],
        [0, 0, 2],
        [0, 0, 2],
        [32, 1, 2],
      ],
      stopped: { isWhole: false },
      noMemory: {
        isWhole: false,
        said: expect.stringMatching(/no memory left for more of the result. What is sharp stays/),
        bytes: 0,
      },
      rest: { isWhole: true },
      opaque: true,
      changed: expect.toSatisfy((levels) => levels > 0),
      undone: 0,
      hasOld: false,
      shown: true,
    });
  });

  test('stopped after a paste and before its end: another look does not lie beside it', async () => {
    const seen = await page.evaluate((model) => window.parts.stoppedLate(model), site.tiny);
    expect(seen).toEqual({ hadParts: true, result: null, hasNew: true, hasOld: false });
  });

  test('a model that cannot be read any more is opened anew by the next run', async () => {
    const seen = await page.evaluate((model) => window.parts.replaced(model), site.tiny);
    expect(seen).toEqual({ opened: 2, said: ['The model cannot be used: gone', undefined] });
  });
});
