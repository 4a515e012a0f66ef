/**
 * One JSON line per browser at hand for the page of demo/ with the embedded model, on SwiftShader: Still life,
 * 128x128 → 512x512, one step. Every run has a browser that has never seen the page.
 *
 *   openMs     from the address to the first screen
 *   pictureMs  from the address to the sharpened picture; the median
 *   bytes      that the server sent for it: page, photo, weights
 *   tasks      of one more run, traced: the longest tasks of the main thread (main-thread.ts)
 *
 * `--trace FILE` keeps the trace, with samples of what the main thread did: for the browser's own tools.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { BROWSERS, openBrowser } from '../harness/browsers.ts';
import { serveDemoPage, shoot } from '../harness/demo-page.ts';
import { type MainThread, traceMainThread } from './main-thread.ts';

const LIMIT_MS = 300_000;

interface Cost {
  readonly openMs: number;
  readonly pictureMs: number;
  readonly bytes: number;
  readonly requests: number;
  readonly browser: string;
}

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '1' }, trace: { type: 'string' } },
});
const served = await serveDemoPage();
try {
  for (const name of BROWSERS) {
    const costs: Cost[] = [];
    for (let run = 0; run < Math.max(1, Number(values.runs)); run++) {
      costs.push(await inBrowser(name, measure));
    }
    const median = costs.toSorted((a, b) => a.pictureMs - b.pictureMs)[costs.length >> 1];
    const tasks = await inBrowser(name, traced);
    const load = Number(loadavg()[0]?.toFixed(1));
    console.log(
      JSON.stringify({ ...median, runs: costs.length, tasks, cores: cpus().length, load }),
    );
  }
} finally {
  await served.close();
}

/** With a page that has nothing on it, in a browser of its own. */
async function inBrowser<T>(
  name: string,
  work: (page: Page, browser: Browser) => Promise<T>,
): Promise<T> {
  const browser = await openBrowser(name);
  try {
    // The service worker fetches all of it once more, behind the picture.
    const page = await browser.newPage({ serviceWorkers: 'block' });
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
  await runEnds(page);
  const pictureMs = Math.round(performance.now() - start);
  const after = served.traffic();
  const sent = { bytes: after.bytes - before.bytes, requests: after.requests - before.requests };
  await shoot(page, 'measured');
  return { openMs, pictureMs, ...sent, browser: `Chromium ${browser.version()}` };
}

/** A first run, which compiles, and a second one of the same photo. */
function traced(page: Page, browser: Browser): Promise<Record<string, MainThread>> {
  return traceMainThread({ browser, page, file: values.trace }, async (mark) => {
    await page.goto(served.url);
    const sample = page.getByRole('button', { name: 'Still life' });
    await sample.waitFor();
    // A second after it was left, Chromium ends the empty page of the beginning, on the same thread.
    await page.waitForTimeout(2000);
    await mark('first');
    await sample.click();
    await runEnds(page);
    await mark('again');
    await page.getByRole('button', { name: 'Sharpen again' }).click();
    await runEnds(page);
  });
}

async function runEnds(page: Page): Promise<void> {
  const cancel = page.getByRole('button', { name: 'Cancel' });
  await cancel.waitFor();
  await cancel.waitFor({ state: 'detached' });
}
