/**
 * The packed package in a small application, built by Vite, webpack and esbuild and as plain scripts: each makes an
 * engine and compiles a kernel in the browser, on the page and in a worker, and finds code that comes when it is
 * needed. And in Deno, where the example makes a picture.
 */
import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build as esbuild } from 'esbuild';
import sharp from 'sharp';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import webpack from 'webpack';
import { DENO, DENO_RUN, denoAdapters, denoEnvironment } from '../harness/deno.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import { type Served, serve } from '../harness/serve.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Ends when the first pipelines are compiled: networks take SwiftShader long. */
const APP = `
const weights = new URL('/weights/invsr-nano/', location.href);
const untilCompiled = async (sr) => {
  const stop = new AbortController();
  const onProgress = ({ phase, done }) => {
    if (phase === 'compile' && done > 0) stop.abort('compiled');
  };
  const size = { width: 16, height: 16 };
  const { peakBytes } = await sr.plan(size, { tile: 16 }); // its code comes now
  const ended = await sr.prepare(size, { tile: 16, signal: stop.signal, onProgress }).then(() => 'compiled', String);
  sr.dispose();
  return { ended, hasPlan: peakBytes > 0 };
};
const adapter = await navigator.gpu.requestAdapter();
const device = await adapter.requestDevice(requiredDevice(adapter));
const texture = device.createTexture({ size: [4, 2], format: 'rgba8unorm', usage: GPUTextureUsage.TEXTURE_BINDING });
const { data } = await readImage(device, texture);
const { fetchFolder } = await import('invsr-webgpu/browser');
const page = await untilCompiled(await InvSR.open({ device, weights: await fetchFolder(weights) }));
const worker = await untilCompiled(await InvSRWorker.open({ weights }));
globalThis.result = { page, worker, read: data.length };
`;

const IMPORTS = `import { InvSR, readImage, requiredDevice } from 'invsr-webgpu';
import { InvSRWorker } from 'invsr-webgpu/worker';
`;

const HTML = '<!doctype html><script type="module" src="./app.js"></script>';

const folder = mkdtempSync(join(tmpdir(), 'invsr-bundlers-'));
/** Sources and the installed package. */
const app = join(folder, 'app');
/** What the server gives. */
const site = join(folder, 'site');

/** `npm pack`, unpacked where an application has it. */
function install(): void {
  const staging = join(folder, 'package');
  for (const name of ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE', 'weights']) {
    cpSync(join(ROOT, name), join(staging, name), { recursive: true });
  }
  execFileSync(
    process.execPath,
    ['scripts/build.mjs', '--no-types', '--out', join(staging, 'dist')],
    {
      cwd: ROOT,
    },
  );
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent'], { cwd: staging });
  const tarball = readdirSync(staging).find((name) => name.endsWith('.tgz')) ?? '';
  const target = join(app, 'node_modules/invsr-webgpu');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(staging, tarball), '--strip-components=1', '-C', target]);
  cpSync(join(target, 'weights'), join(site, 'weights'), { recursive: true });
}

const BUILDS: Readonly<Record<string, () => Promise<unknown>>> = {
  vite: async () => {
    await vite({
      root: app,
      configFile: false,
      logLevel: 'error',
      base: './',
      build: { outDir: join(site, 'vite'), target: 'es2023' },
    });
  },
  webpack: () =>
    new Promise<void>((resolve, reject) => {
      webpack(
        {
          mode: 'production',
          context: app,
          entry: './app.js',
          optimization: { minimize: false }, // by processes of its own, which takes long
          output: { path: join(site, 'webpack'), filename: 'app.js', module: true },
          experiments: { outputModule: true },
        },
        (error, stats) => {
          const failed = error ?? stats?.toJson({ errors: true }).errors?.at(0)?.message;
          if (failed) reject(new Error(String(failed)));
          else resolve();
        },
      );
    }),
  esbuild: () =>
    esbuild({
      absWorkingDir: app,
      // It leaves workers to us: their script is an entry of its own.
      entryPoints: { app: './app.js', 'worker-script': 'invsr-webgpu/worker-script' },
      outdir: join(site, 'esbuild'),
      bundle: true,
      splitting: true,
      format: 'esm',
      logLevel: 'error',
    }),
  plain: async () => {
    cpSync(join(app, 'node_modules/invsr-webgpu/dist'), join(site, 'plain/dist'), {
      recursive: true,
    });
    const code = (IMPORTS + APP)
      .replace("'invsr-webgpu'", "'./dist/invsr.min.js'")
      .replaceAll(/'invsr-webgpu\/(worker|browser)'/g, "'./dist/browser/$1.js'");
    writeFileSync(join(site, 'plain/app.js'), code);
  },
};

/** Once, for all browsers. */
const built: Record<string, Promise<unknown> | undefined> = {};
let server: Served;
beforeAll(async () => {
  install();
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(app, 'app.js'), IMPORTS + APP);
  writeFileSync(join(app, 'index.html'), HTML);
  server = await serve(site);
});
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(denoAdapters.slice(-1))('in Deno on %s', (adapter) => {
  test('the example: a picture four times as large', async () => {
    for (const name of ['sharp', '@img']) {
      symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
    }
    cpSync(join(ROOT, 'examples/deno/main.ts'), join(app, 'main.ts'));
    const photo = sharp(join(ROOT, 'examples/images/still-life-lr.png'));
    const part = photo.extract({ left: 40, top: 40, width: 40, height: 32 });
    await part.toFile(join(app, 'in.png'));
    const { stdout } = await promisify(execFile)(
      DENO!,
      [...DENO_RUN, 'main.ts', 'in.png', 'out.png'],
      { cwd: app, env: await denoEnvironment(adapter) },
    );
    expect(stdout).toBe('out.png, 160×128\n');
    // The colour fix takes the colours of large areas from the input.
    const coloursOf = async (name: string): Promise<number[]> =>
      (await sharp(join(app, name)).removeAlpha().stats()).channels.map(({ mean }) => mean);
    const before = await coloursOf('in.png');
    const apart = (await coloursOf('out.png')).map((mean, i) => Math.abs(mean - before[i]!));
    expect(Math.max(...apart)).toBeLessThan(2); // of 255
  });
});

inBrowsers((browser) => {
  test.each(Object.keys(BUILDS))('%s', async (name) => {
    await (built[name] ??= BUILDS[name]?.());
    if (name !== 'vite') writeFileSync(join(site, name, 'index.html'), HTML);
    await using page = await browser().newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(String(error.stack)));
    await page.goto(`${server.url}${name}/index.html`);
    await page.waitForFunction('globalThis.result', undefined, { timeout: 50_000 }).catch(() => {});
    expect(errors).toEqual([]);
    expect(await page.evaluate('globalThis.result')).toEqual({
      page: { ended: 'compiled', hasPlan: true },
      worker: { ended: 'compiled', hasPlan: true },
      read: 4 * 4 * 2,
    });
  });
});
