/**
 * One JSON line per browser at hand for the page of demo/ with the embedded model, on SwiftShader: Still life,
 * 128x128 → 512x512, one step. Every run has a browser that has never seen the page.
 *
 *   openMs     from the address to the first screen
 *   pictureMs  from the address to the sharpened picture; the median
 *   longestMs  the longest task of the main thread from the click on; 0 where none was above 50 ms
 *   bytes      that the server sent for it: page, photo, weights
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { BROWSERS, openBrowser } from '../harness/chromium.ts';
import { serveDemoPage, shoot } from '../harness/demo-page.ts';

const LIMIT_MS = 300_000;

declare global {
  interface Window {
    longTasks: number[];
  }
}

interface Cost {
  readonly openMs: number;
  readonly pictureMs: number;
  readonly longestMs: number;
  readonly bytes: number;
  readonly requests: number;
  readonly browser: string;
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '1' } } });
const served = await serveDemoPage();
try {
  for (const name of BROWSERS) {
    const costs: Cost[] = [];
    for (let run = 0; run < Math.max(1, Number(values.runs)); run++) {
      costs.push(await measure(name, served.url));
    }
    const median = costs.toSorted((a, b) => a.pictureMs - b.pictureMs)[costs.length >> 1];
    const load = Number(loadavg()[0]?.toFixed(1));
    console.log(JSON.stringify({ ...median, runs: costs.length, cores: cpus().length, load }));
  }
} finally {
  await served.close();
}

async function measure(name: string, url: string): Promise<Cost> {
  const browser = await openBrowser(name);
  try {
    // The service worker fetches all of it once more, behind the picture.
    const page = await browser.newPage({ serviceWorkers: 'block' });
    page.setDefaultTimeout(LIMIT_MS);
    const sent = await countBytes(page);
    await page.addInitScript(() => {
      window.longTasks = [];
      const observer = new PerformanceObserver((list) => {
        window.longTasks.push(...list.getEntries().map(({ duration }) => duration));
      });
      observer.observe({ type: 'longtask' });
    });
    const start = performance.now();
    await page.goto(url);
    const sample = page.getByRole('button', { name: 'Still life' });
    await sample.waitFor();
    const openMs = Math.round(performance.now() - start);
    await page.evaluate(() => (window.longTasks = []));
    await sample.click();
    // Our own photos are sharpened at once.
    const cancel = page.getByRole('button', { name: 'Cancel' });
    await cancel.waitFor();
    await cancel.waitFor({ state: 'detached' });
    const pictureMs = Math.round(performance.now() - start);
    const longestMs = await page.evaluate(() => Math.max(0, ...window.longTasks));
    await shoot(page, 'measured');
    return { openMs, pictureMs, longestMs, ...sent, browser: `Chromium ${browser.version()}` };
  } finally {
    await browser.close();
  }
}

/** Counts that grow while the page loads, as they came over the wire. */
async function countBytes(page: Page): Promise<{ bytes: number; requests: number }> {
  const sent = { bytes: 0, requests: 0 };
  const session = await page.context().newCDPSession(page);
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    sent.bytes += encodedDataLength;
    sent.requests++;
  });
  await session.send('Network.enable');
  return sent;
}
