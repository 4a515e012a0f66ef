/** The page of demo/, built, used, and looked at. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { serve, type Served } from './serve.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const SHOTS = '.cache/page-shots';

/** As `npm run demo:page` does, on a port of its own. */
export async function serveDemoPage(): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-page-'));
  execFileSync(process.execPath, ['scripts/demo-page.mjs', '--out', folder], { stdio: 'ignore' });
  const served = await serve(folder);
  return {
    url: served.url,
    async close() {
      await served.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** For people to look at. */
export async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name.replaceAll(' ', '-')}.png`) });
}

/** A file dropped on the page. */
export async function drop(page: Page, name: string, type: string, bytes: Buffer): Promise<void> {
  await page.evaluate(
    async ({ base64, name, type }) => {
      const bytes = await (await fetch(`data:;base64,${base64}`)).arrayBuffer();
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], name, { type }));
      dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    },
    { base64: bytes.toString('base64'), name, type },
  );
}

/** What axe-core finds, in words. */
export async function violations(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: AXE });
  // Colours on their way are neither the old nor the new ones.
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{
          violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
        }>;
      };
    };
    const found = await axe.run();
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  });
}
