/** The page of demo/, built, used, and looked at. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { serve, type Served } from './serve.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHOTS = '.cache/page-shots';

/** As `npm run demo:page` does, on a port of its own; `path`: in a folder of the server, with a slash at its end. */
export async function serveDemoPage({
  path = '',
  headers = {},
  change,
}: {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the folder with the page. */
  readonly change?: (folder: string) => void;
} = {}): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-page-'));
  execFileSync(process.execPath, ['scripts/demo-page.mjs', '--out', join(folder, path)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  change?.(join(folder, path));
  const served = await serve(folder, headers);
  return {
    ...served,
    url: served.url + path,
    async close() {
      await served.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** In a context of its own, without the service worker, which would answer in the server's place. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    serviceWorkers: 'block',
    ...options,
  });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** For people to look at. */
export async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name.replaceAll(' ', '-')}.png`) });
}

/** A file dropped on the page. */
export const drop = (page: Page, name: string, type: string, bytes: Buffer): Promise<void> =>
  give(page, 'drop', name, type, bytes);

/** A file dropped on the page, or pasted. */
export async function give(
  page: Page,
  how: 'drop' | 'paste',
  name: string,
  type: string,
  bytes: Buffer,
): Promise<void> {
  await page.evaluate(
    ({ base64, how, name, type }) => {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], name, { type }));
      const init = { bubbles: true, cancelable: true };
      dispatchEvent(
        how === 'drop'
          ? new DragEvent('drop', { dataTransfer: data, ...init })
          : new ClipboardEvent('paste', { clipboardData: data, ...init }),
      );
    },
    { base64: bytes.toString('base64'), how, name, type },
  );
}

/** What axe-core finds, in words. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE); // not as a script of the page: policies forbid those
  // Colours on their way are neither the old nor the new ones; animations of what goes meanwhile reject, and some
  // have no end.
  await page.evaluate(async () => {
    const ending = document
      .getAnimations()
      .filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map(({ finished }) => finished));
  });
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
