/** InvSR in a worker, in a real browser: the same picture as on the page, in a bitmap and in a canvas. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inEveryEngine } from '../harness/in-browsers.ts';
import { type Served, serve } from '../harness/serve.ts';

const ROOT = join(import.meta.dirname, '../..');

/** While the page says so, the worker's canvases have no context, as where they lack WebGPU. */
const BLIND_WORKER = `import './worker-script.js';
const { prototype } = OffscreenCanvas;
const { getContext } = prototype;
new BroadcastChannel('blind').onmessage = ({ data }) => {
  prototype.getContext = data ? () => null : getContext;
};`;

let server: Served;
const folder = mkdtempSync(join(tmpdir(), 'invsr-worker-'));
beforeAll(async () => {
  await build({
    entryPoints: {
      page: join(ROOT, 'test/browser/worker-page.ts'),
      'worker-script': join(ROOT, 'src/worker-script.ts'),
    },
    outdir: folder,
    bundle: true,
    format: 'esm',
    keepNames: true,
    external: ['@huggingface/tokenizers'],
  });
  cpSync(join(ROOT, 'weights'), join(folder, 'weights'), { recursive: true });
  writeFileSync(join(folder, 'blind-worker.js'), BLIND_WORKER);
  writeFileSync(
    join(folder, 'index.html'),
    '<!doctype html><script type="module" src="page.js"></script>',
  );
  server = await serve(folder);
});
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Images {
  readonly phases: readonly string[];
  readonly memory: { readonly weightBytes: number };
  readonly plans: readonly { readonly peakBytes: number }[];
  readonly size: readonly number[];
  readonly bitmap: readonly number[];
  readonly page: readonly number[];
}

interface Drawn {
  readonly tiles: readonly unknown[];
  readonly again: unknown;
}

inEveryEngine((browser, { isFirefox }) => {
  let page: Page;
  beforeAll(async () => {
    page = await browser().newPage();
    await page.goto(server.url);
  });
  afterAll(() => page?.close());

  let bytes: readonly number[];
  test('gives the picture that the page gives, as a bitmap', async () => {
    const result = await page.evaluate<Images>('images()');
    bytes = result.page;
    expect(result.size).toEqual([96, 64]);
    expect(new Set(result.page).size).toBeGreaterThan(50);
    expect(result.bitmap).toEqual(result.page);
    expect(result.phases).toEqual(expect.arrayContaining(['download', 'compile', 'run']));
    expect(result.memory.weightBytes).toBeGreaterThan(1e6);
    const [inWorker, onPage] = result.plans;
    expect(inWorker).toEqual(onPage);
    expect(onPage?.peakBytes).toBeGreaterThan(result.memory.weightBytes);
  }, 120_000);

  test('and in a canvas', async () => {
    const result = await page.evaluate<Drawn>('drawn()');
    expect(result.again).toBeUndefined();
    expect(result.tiles.length).toBeGreaterThan(1);
    await expect
      .poll(() => page.evaluate('shown()'), { timeout: 30_000 })
      .toEqual({ size: [96, 64], bytes });
  }, 120_000);

  test('an abort ends the call with its reason; the next one runs', async () => {
    expect(await page.evaluate('abort()')).toEqual({ aborted: 'enough', width: 96 });
  }, 120_000);

  test('what is closed or overwritten right after the call was copied by it', async () => {
    expect(await page.evaluate('copied()')).toEqual([true, true, true]);
  });

  // Firefox has no such canvases.
  test.skipIf(isFirefox)('Display-P3 comes back as such, by way of the host too', async () => {
    const seen = await page.evaluate<{ p3: number; srgb: number }[]>('wide()');
    expect(seen.map(({ p3 }) => p3)).toEqual([0, 0]);
    for (const { srgb } of seen) expect(srgb).toBeGreaterThan(10); // saturated colours: tens of levels
  });

  test('a canvas without a context is transparent black, and stays without one', async () => {
    const seen = { isAsShown: true, isFree: true };
    expect(await page.evaluate('canvases()')).toEqual([seen, seen]);
  }, 120_000);

  test('opens a folder of files', async () => {
    expect(await page.evaluate('files()')).toBe(true);
  });

  test('errors arrive as what they are', async () => {
    expect(await page.evaluate('errors()')).toEqual([
      { type: 'RangeError', name: 'RangeError', message: expect.stringContaining('region') },
      { type: 'CheckpointError', name: 'CheckpointError', message: expect.stringContaining('404') },
    ]);
  });
});
