/**
 * For every browser at hand, JSON lines for the page of demo/ with the embedded model, on a software adapter: Still life,
 * 128x128 → 512x512, one step. Every page has a browser that has never seen it.
 *
 *   openMs     from the address to the first screen
 *   pictureMs  from the address to the sharpened picture; the median of `--runs N` pages
 *   bytes      that the server sent for it: page, photo, weights
 *   allBytes   and until the service worker has all files of the page, so that it works offline
 *
 * Then a line for each of `--traces N` pages that are traced: the longest tasks of the main thread (main-thread.ts)
 * in a first run, which compiles, and `again`. With `--more` also while a `part` is made once more, in a run that is
 * `stopped`, and with a photo of two `tiles`.
 *
 * `--trace FILE` keeps the last trace, with samples of what the main thread did, for the browser's own tools; taking
 * them makes the page slower.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { BROWSERS, isFirefox, openBrowser } from '../harness/browsers.ts';
import { drop, serveDemoPage, shoot } from '../harness/demo-page.ts';
import { type MainThread, traceMainThread } from './main-thread.ts';

const LIMIT_MS = 300_000;

interface Cost {
  readonly openMs: number;
  readonly pictureMs: number;
  readonly bytes: number;
  readonly requests: number;
  readonly allBytes: number;
  readonly browser: string;
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1' },
    traces: { type: 'string', default: '1' },
    trace: { type: 'string' },
    more: { type: 'boolean', default: false },
  },
});
// What browsers keep they may keep for ten minutes, as at GitHub Pages.
const served = await serveDemoPage({ headers: { 'Cache-Control': 'max-age=600' } });
try {
  for (const name of BROWSERS) {
    const costs: Cost[] = [];
    for (let run = 0; run < Number(values.runs); run++) {
      costs.push(await inBrowser(name, measure, 'allow'));
    }
    const median = costs.toSorted((a, b) => a.pictureMs - b.pictureMs)[costs.length >> 1];
    if (median) console.log(JSON.stringify({ ...median, runs: costs.length, ...machine() }));
    if (isFirefox(name)) continue; // it gives no such trace
    for (let trace = 0; trace < Number(values.traces); trace++) {
      console.log(JSON.stringify({ ...(await inBrowser(name, traced, 'block')), ...machine() }));
    }
  }
} finally {
  await served.close();
}

/** Who else wanted the cores. */
function machine(): { readonly cores: number; readonly load: number } {
  return { cores: cpus().length, load: Number(loadavg()[0]?.toFixed(1)) };
}

/** With a page that has nothing on it, in a browser of its own. */
async function inBrowser<T>(
  name: string,
  work: (page: Page, browser: Browser) => Promise<T>,
  serviceWorkers: 'allow' | 'block',
): Promise<T> {
  const browser = await openBrowser(name);
  try {
    const page = await browser.newPage({ serviceWorkers });
    page.setDefaultTimeout(LIMIT_MS);
    return await work(page, browser);
  } finally {
    await browser.close();
  }
}

async function measure(page: Page, browser: Browser): Promise<Cost> {
  const before = served.traffic();
  const start = performance.now();
  await page.goto(served.url);
  const sample = page.getByRole('button', { name: 'Still life' });
  await sample.waitFor();
  const openMs = Math.round(performance.now() - start);
  // Our own photos are sharpened at once.
  await sample.click();
  await runIs('on', page);
  await runIs('over', page);
  const pictureMs = Math.round(performance.now() - start);
  const after = served.traffic();
  const sent = { bytes: after.bytes - before.bytes, requests: after.requests - before.requests };
  await shoot(page, 'measured');
  // It comes when the page is quiet.
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const allBytes = served.traffic().bytes - before.bytes;
  return {
    openMs,
    pictureMs,
    ...sent,
    allBytes,
    browser: `${browser.browserType().name()} ${browser.version()}`,
  };
}

function traced(page: Page, browser: Browser): Promise<Record<string, MainThread>> {
  return traceMainThread({ browser, page, file: values.trace }, async (mark) => {
    await page.goto(served.url);
    const sample = page.getByRole('button', { name: 'Still life' });
    await sample.waitFor();
    // A second after it was left, Chromium ends the empty page of the beginning, on the same thread.
    await page.waitForTimeout(2000);
    await mark('first');
    await sample.click();
    await runIs('on', page);
    await runIs('over', page);
    await mark('again');
    await page.getByRole('button', { name: 'Sharpen again' }).click();
    await runIs('on', page);
    await runIs('over', page);
    if (values.more) await more(page, mark);
  });
}

async function more(page: Page, mark: (phase: string) => Promise<void>): Promise<void> {
  await page.getByRole('button', { name: 'Select a part' }).click();
  const box = await page.locator('.viewer').boundingBox();
  if (!box) throw new Error('there is no viewer');
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x - 60, y - 60);
  await page.mouse.down();
  await page.mouse.move(x + 60, y + 60, { steps: 4 });
  await page.mouse.up();
  await mark('part');
  await page.getByRole('button', { name: 'Try this part again' }).click();
  await runIs('on', page);
  await runIs('over', page);

  await page.getByRole('button', { name: 'Done with this part' }).click();
  await mark('stopped');
  await page.getByRole('button', { name: /^Sharpen/ }).click();
  await runIs('on', page);
  await page.waitForTimeout(2000);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await runIs('over', page);

  const photo = sharp('examples/images/still-life-lr.png').resize(216, 128, { fit: 'fill' });
  await drop(page, 'wide.png', 'image/png', await photo.png().toBuffer());
  await mark('tiles');
  await page.getByRole('button', { name: 'Sharpen', exact: true }).click();
  await runIs('on', page);
  await runIs('over', page);
}

/** Asked for now and then: a locator that waits looks for its element in every frame, in the page's own thread. */
async function runIs(state: 'on' | 'over', page: Page): Promise<void> {
  const cancel = page.locator('button[aria-label="Cancel"]');
  const end = performance.now() + LIMIT_MS;
  while ((await cancel.count()) === (state === 'on' ? 0 : 1)) {
    if (performance.now() > end) throw new Error(`after ${LIMIT_MS} ms no run is ${state}`);
    await page.waitForTimeout(200);
  }
}
