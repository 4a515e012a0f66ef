/**
 * The bench's page in a real browser: Chromium with WebGPU on SwiftShader times two tiny kernels with
 * the cases, clock and charts that people get, and gives the record back.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { htmlReport } from '../../bench/html-report.ts';
import { readComparable } from '../../bench/read-record.ts';
import type { KernelRecord } from '../../bench/record.ts';
import { kernelRecord, profileRecord } from '../harness/bench-records.ts';
import { errorsOf } from '../harness/browsers.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import { serve, type Served } from '../harness/serve.ts';

inBrowsers((browser) => {
  describe('the bench page', () => {
    const folder = mkdtempSync(join(tmpdir(), 'invsr-bench-page-'));
    let server: Served;
    beforeAll(async () => {
      execFileSync(process.execPath, ['scripts/bench-page.mjs', '--out', folder]);
      server = await serve(folder);
    });
    afterAll(async () => {
      await server?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    /** What the page offers to save, when it is done. */
    const recordOf = async (page: Page): Promise<KernelRecord> => {
      await page.locator('#done').waitFor({ timeout: 90_000 });
      const address = await page.locator('#save-json').evaluate((a: HTMLAnchorElement) => a.href);
      const text = await page.evaluate((url) => fetch(url).then((r) => r.text()), address);
      return JSON.parse(text) as KernelRecord;
    };

    test('measures kernels and gives a record that --compare reads', async () => {
      await using page = await browser().newPage({ viewport: { width: 1200, height: 900 } });
      const errors = errorsOf(page);
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
      const report = page.locator('#report');
      await expect
        .poll(() => report.evaluate((frame: HTMLElement) => frame.offsetHeight), {
          timeout: 10_000,
        })
        .toBeGreaterThan(600);
      expect(await report.contentFrame().locator('tbody tr').count()).toBe(record.rows.length);
      expect(errors).toEqual([]);
    }, 120_000);

    test('an adapter without timestamps is timed in batches by the host', async () => {
      await using page = await browser().newPage();
      const errors = errorsOf(page);
      await page.addInitScript(() => {
        // oxlint-disable-next-line typescript/unbound-method
        const { has } = GPUSupportedFeatures.prototype;
        GPUSupportedFeatures.prototype.has = function (name) {
          return name !== 'timestamp-query' && has.call(this, name);
        };
      });
      await page.goto(
        `${server.url}?filter=groupnormfinalize&network=noise_predictor&samples=5&seconds=0.05&run`,
      );
      const record = await recordOf(page);
      expect(record.clock.kind).toBe('wall-batches');
      expect(record.clock.quantumNanoseconds).toBeGreaterThan(0);
      expect(record.rows.length).toBeGreaterThan(0);
      expect(errors).toEqual([]);
    }, 120_000);

    test('stops when asked, and says that it did', async () => {
      await using page = await browser().newPage();
      await page.goto(`${server.url}?filter=layernorm&seconds=1&samples=1000&run`);
      await page.waitForFunction(
        () => (document.querySelector<HTMLProgressElement>('#progress')?.value ?? 0) > 0,
        undefined,
        { timeout: 90_000 },
      );
      await page.locator('#stop').click();
      await page.locator('#done').waitFor();
      const warning = page.locator('#report').contentFrame().locator('.warn');
      expect(await warning.textContent()).toMatch(/^Not complete: interrupted/);
    }, 120_000);

    test('a filter that nothing matches cannot be run', async () => {
      await using page = await browser().newPage();
      await page.goto(`${server.url}?filter=no+such+kernel`);
      await page.locator('#selected', { hasText: /^0 kernels$/ }).waitFor();
      expect(await page.locator('#run').isDisabled()).toBe(true);
    });

    test('without WebGPU it says so', async () => {
      await using page = await browser().newPage();
      await page.addInitScript(() => Object.defineProperty(navigator, 'gpu', { value: undefined }));
      await page.goto(server.url);
      const problem = page.locator('#problem');
      await problem.waitFor();
      expect(await problem.textContent()).toMatch(/^This browser has no WebGPU/);
    });
  });

  describe('the report', () => {
    const html = htmlReport({ kernels: kernelRecord, profiles: [profileRecord] });
    const open = async (width = 1200): Promise<{ page: Page; errors: readonly string[] }> => {
      const page = await browser().newPage({ viewport: { width, height: 900 } });
      const errors = errorsOf(page);
      await page.goto(`data:text/html;base64,${Buffer.from(html).toString('base64')}`);
      return { page, errors };
    };
    const shownRows = 'tbody tr:not(.off)';
    const scrollWidth = (page: Page): Promise<number> =>
      page.evaluate(() => document.documentElement.scrollWidth);

    test('sorts by any column, both ways', async () => {
      const { page, errors } = await open();
      await using _ = page;
      const buttons = page.locator('thead button');
      const at = (await buttons.allTextContents()).indexOf('ms');
      const column = (): Promise<number[]> =>
        page
          .locator(`tbody tr > :nth-child(${at + 1})`)
          .evaluateAll((cells) => cells.map((cell) => Number(cell.dataset['value'])));
      // The one that sorts has an arrow besides its title.
      const ms = buttons.nth(at);
      await ms.click();
      const down = await column();
      expect(down).toEqual(down.toSorted((a, b) => b - a));
      expect(down).toHaveLength(kernelRecord.rows.length);
      await ms.click();
      expect(await column()).toEqual(down.toReversed());
      expect(errors).toEqual([]);
    });

    test('filters rows by family and by text, in table and chart', async () => {
      const { page, errors } = await open();
      await using _ = page;
      const total = kernelRecord.rows.length;
      const norms = kernelRecord.rows.filter(({ op }) => /norm/i.test(op)).length;
      const family = page.locator('button[data-family=norm]');
      await family.click();
      expect(await page.locator(shownRows).count()).toBe(total - norms);
      expect(await page.locator('.wide .mark[data-row]:not(.off)').count()).toBe(total - norms);
      await family.click();
      await page.locator('#filter').fill('unet attention');
      expect(await page.locator(shownRows).count()).toBe(2);
      expect(errors).toEqual([]);
    });

    test('arrow keys walk from mark to mark and tell what they are', async () => {
      const { page } = await open();
      await using _ = page;
      const told = page.locator('.detail h3');
      await page.locator('.wide .roofline [tabindex="0"]').focus();
      const first = await told.textContent();
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowRight');
      const third = await told.textContent();
      expect(first).not.toBe(third);
      expect(await page.locator(':focus').getAttribute('aria-label')).toContain(third);
    });

    test('the timeline zooms, finds and walks', async () => {
      const { page, errors } = await open();
      await using _ = page;
      const width = (): Promise<number> =>
        page.locator('.timeline').evaluate((element: HTMLElement) => element.offsetWidth);
      const before = await width();
      await page.locator('button[data-zoom="2"]').click();
      expect(await width()).toBeCloseTo(2 * before, -1);
      await page.locator('#layers').fill('attention');
      const attentions = profileRecord.dispatches.filter(({ path, name }) =>
        `${path} ${name}`.includes('attention'),
      );
      expect(await page.locator('.bar-d:not(.dim)').count()).toBe(attentions.length);
      await page.locator('.scroller').focus();
      await page.keyboard.press('ArrowRight');
      expect(await page.locator('.readout code').textContent()).toBe(attentions[0]?.path);
      expect(errors).toEqual([]);
    });

    test('paper is light and has no controls', async () => {
      const { page } = await open(794);
      await using _ = page;
      const controls = page.locator('.controls').filter({ visible: true });
      const paper = (): Promise<string> =>
        page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await controls.count()).toBeGreaterThan(0);
      expect(await paper()).not.toBe('rgb(255, 255, 255)');
      await page.emulateMedia({ colorScheme: 'dark', media: 'print' });
      expect(await controls.count()).toBe(0);
      expect(await paper()).toBe('rgb(255, 255, 255)');
      expect(await scrollWidth(page)).toBe(794);
    });

    test('nothing is wider than a phone', async () => {
      const { page } = await open(375);
      await using _ = page;
      expect(await scrollWidth(page)).toBe(375);
    });
  });
});
