/**
 * The bench's page in a real browser: Chromium with WebGPU on SwiftShader times two tiny kernels with
 * the cases, clock and charts that people get, and gives the record back.
 */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { htmlReport } from '../../bench/html-report.ts';
import { readComparable } from '../../bench/read-record.ts';
import type { KernelRecord } from '../../bench/record.ts';
import { kernelRecord, profileRecord } from '../harness/bench-records.ts';
import { type Browser, openBrowser, type Page } from '../harness/chromium.ts';

const opened = await openBrowser().catch((error: unknown) => String(error));
if (typeof opened === 'string') console.warn(`browser: SKIPPED, no Chromium here: ${opened}`);

/** `node scripts/bench-page.mjs` and its address. */
async function servePage(): Promise<{ readonly url: string; stop(): void }> {
  const child = spawn(process.execPath, ['scripts/bench-page.mjs', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
      const [found] = /http:\S+/.exec(said) ?? [];
      if (found) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`the server ended (${code}): ${said}`)));
  });
  return { url, stop: () => void child.kill() };
}

describe.skipIf(typeof opened === 'string')('in Chromium', () => {
  const browser = opened as Browser;
  afterAll(() => browser.close());

  describe('the bench page', () => {
    let server: Awaited<ReturnType<typeof servePage>>;
    beforeAll(async () => (server = await servePage()));
    afterAll(() => server?.stop());

    /** What the page offers to save, when it is done. */
    const recordOf = async (page: Page): Promise<KernelRecord> => {
      await page.waitFor('!document.querySelector("#done").hidden', 90_000);
      const text = await page.evaluate<string>(
        'fetch(document.querySelector("#save-json").href).then((response) => response.text())',
      );
      return JSON.parse(text) as KernelRecord;
    };

    test('measures kernels and gives a record that --compare reads', async () => {
      const page = await browser.newPage();
      await page.view({ width: 1200 });
      await page.goto(
        `${server.url}?filter=groupnormfinalize&network=unet&samples=5&seconds=0.05&run`,
      );
      const record = await recordOf(page);
      expect(record.machine.adapter).toContain('swiftshader');
      expect(record.machine.dawn).toMatch(/Chrom\w+ \d+/);
      expect(record.target).toMatchObject({ family: 'cpu', shaderF16: false });
      // --enable-unsafe-webgpu, without which Chromium hides software adapters, makes them exact.
      expect(record.clock).toEqual({ kind: 'timestamps', quantumNanoseconds: 0 });
      expect(record.rows.length).toBeGreaterThan(1);
      for (const row of record.rows) {
        expect(row.op).toBe('groupNormFinalize');
        expect(row.milliseconds.median).toBeGreaterThan(0);
      }
      expect(record.skipped).toEqual([]);
      expect(readComparable(JSON.stringify(record), 'kernels', 'page').rows).toHaveLength(
        record.rows.length,
      );
      await page.waitFor('document.querySelector("#report").offsetHeight > 600', 10_000);
      const rows = 'document.querySelector("#report").contentDocument.querySelectorAll("tbody tr")';
      expect(await page.evaluate(`${rows}.length`)).toBe(record.rows.length);
      expect(page.errors).toEqual([]);
    }, 120_000);

    test('an adapter without timestamps is timed in batches by the host', async () => {
      const page = await browser.newPage();
      await page.beforeLoad(`
        const has = GPUSupportedFeatures.prototype.has;
        GPUSupportedFeatures.prototype.has = function (name) {
          return name !== 'timestamp-query' && has.call(this, name);
        };`);
      await page.goto(
        `${server.url}?filter=groupnormfinalize&network=noise_predictor&samples=5&seconds=0.05&run`,
      );
      const record = await recordOf(page);
      expect(record.clock.kind).toBe('wall-batches');
      expect(record.clock.quantumNanoseconds).toBeGreaterThan(0);
      expect(record.rows.length).toBeGreaterThan(0);
      expect(page.errors).toEqual([]);
    }, 120_000);

    test('stops when asked, and says that it did', async () => {
      const page = await browser.newPage();
      await page.goto(`${server.url}?filter=layernorm&seconds=1&samples=1000&run`);
      await page.waitFor('document.querySelector("#progress").value > 0', 90_000);
      await page.evaluate('document.querySelector("#stop").click()');
      await page.waitFor('!document.querySelector("#done").hidden', 30_000);
      const warning = 'document.querySelector("#report").contentDocument?.querySelector(".warn")';
      await page.waitFor(warning, 10_000);
      expect(await page.evaluate(`${warning}.textContent`)).toMatch(/^Not complete: interrupted/);
    }, 120_000);

    test('a filter that nothing matches cannot be run', async () => {
      const page = await browser.newPage();
      await page.goto(`${server.url}?filter=no+such+kernel`);
      await page.waitFor('document.querySelector("#selected").textContent === "0 kernels"', 30_000);
      expect(await page.evaluate('document.querySelector("#run").disabled')).toBe(true);
    });

    test('without WebGPU it says so', async () => {
      const page = await browser.newPage();
      await page.beforeLoad('Object.defineProperty(navigator, "gpu", { value: undefined })');
      await page.goto(server.url);
      await page.waitFor('!document.querySelector("#problem").hidden', 30_000);
      expect(await page.evaluate('document.querySelector("#problem").textContent')).toMatch(
        /^This browser has no WebGPU/,
      );
    });
  });

  describe('the report', () => {
    const url = `data:text/html;base64,${Buffer.from(
      htmlReport({ kernels: kernelRecord, profiles: [profileRecord] }),
    ).toString('base64')}`;
    const open = async (): Promise<Page> => {
      const page = await browser.newPage();
      await page.view({ width: 1200 });
      await page.goto(url);
      return page;
    };
    const shownRows = 'document.querySelectorAll("tbody tr:not(.off)").length';

    test('sorts by any column, both ways', async () => {
      const page = await open();
      const click = (title: string): Promise<unknown> =>
        page.evaluate(
          `[...document.querySelectorAll("thead button")].find((b) => b.textContent === "${title}").click()`,
        );
      const column = (title: string): Promise<number[]> =>
        page.evaluate(
          `(() => { const at = [...document.querySelectorAll("thead button")].findIndex((b) => b.textContent === "${title}"); return [...document.querySelectorAll("tbody tr")].map((r) => Number(r.children[at].dataset.value)); })()`,
        );
      await click('ms');
      const down = await column('ms');
      expect(down).toEqual(down.toSorted((a, b) => b - a));
      expect(down).toHaveLength(kernelRecord.rows.length);
      await click('ms');
      expect(await column('ms')).toEqual(down.toReversed());
      expect(page.errors).toEqual([]);
    });

    test('filters rows by family and by text, in table and chart', async () => {
      const page = await open();
      const total = kernelRecord.rows.length;
      const norms = kernelRecord.rows.filter(({ op }) => /norm/i.test(op)).length;
      await page.evaluate('document.querySelector("button[data-family=norm]").click()');
      expect(await page.evaluate(shownRows)).toBe(total - norms);
      expect(
        await page.evaluate('document.querySelectorAll(".wide .mark[data-row]:not(.off)").length'),
      ).toBe(total - norms);
      await page.evaluate('document.querySelector("button[data-family=norm]").click()');
      await page.evaluate(
        '(() => { const field = document.querySelector("#filter"); field.value = "unet attention"; field.dispatchEvent(new Event("input")); })()',
      );
      expect(await page.evaluate(shownRows)).toBe(2);
      expect(page.errors).toEqual([]);
    });

    test('arrow keys walk from mark to mark and tell what they are', async () => {
      const page = await open();
      await page.evaluate('document.querySelector(".wide .roofline [tabindex=\\"0\\"]").focus()');
      const first = await page.evaluate<string>('document.querySelector(".detail h3").textContent');
      await page.press('ArrowRight');
      await page.press('ArrowRight');
      const third = await page.evaluate<string>('document.querySelector(".detail h3").textContent');
      expect(first).not.toBe(third);
      expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toContain(
        third,
      );
    });

    test('the timeline zooms, finds and walks', async () => {
      const page = await open();
      const width = 'document.querySelector(".timeline").offsetWidth';
      const before = await page.evaluate<number>(width);
      await page.evaluate('document.querySelector("button[data-zoom=\\"2\\"]").click()');
      expect(await page.evaluate<number>(width)).toBeCloseTo(2 * before, -1);
      await page.evaluate(
        '(() => { const field = document.querySelector("#layers"); field.value = "attention"; field.dispatchEvent(new Event("input")); })()',
      );
      const attentions = profileRecord.dispatches.filter(({ path, name }) =>
        `${path} ${name}`.includes('attention'),
      );
      expect(await page.evaluate('document.querySelectorAll(".bar-d:not(.dim)").length')).toBe(
        attentions.length,
      );
      await page.evaluate('document.querySelector(".scroller").focus()');
      await page.press('ArrowRight');
      expect(await page.evaluate('document.querySelector(".readout code").textContent')).toBe(
        attentions[0]?.path,
      );
      expect(page.errors).toEqual([]);
    });

    test('paper is light and has no controls', async () => {
      const page = await open();
      const controls = '[...document.querySelectorAll(".controls")].every((e) => !e.offsetParent)';
      const paper = 'getComputedStyle(document.documentElement).backgroundColor';
      await page.view({ width: 800, dark: true });
      expect(await page.evaluate(controls)).toBe(false);
      expect(await page.evaluate(paper)).not.toBe('rgb(255, 255, 255)');
      await page.view({ width: 794, dark: true, print: true });
      expect(await page.evaluate(controls)).toBe(true);
      expect(await page.evaluate(paper)).toBe('rgb(255, 255, 255)');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(794);
    });

    test('nothing is wider than a phone', async () => {
      const page = await open();
      await page.view({ width: 375 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
    });
  });
});
