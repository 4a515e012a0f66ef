/**
 * Headless browsers with WebGPU on SwiftShader for tests of pages, through playwright-core: Chromium from
 * @sparticuz/chromium, and Debian's where it is installed, for some of the tests. INVSR_TEST_BROWSER
 * names those that take all of them: `npm`, paths, both with a comma between, or nothing.
 */
import { createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { packageRoot, unpackedFolder } from '../../src/engine/swiftshader.ts';

const NPM = 'npm';
/** Debian's: the first that is there. In the second, headless, canvases do not show what WebGPU drew on SwiftShader. */
const DEBIAN = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];

const ASKED = process.env['INVSR_TEST_BROWSER'];

/** Browsers at hand: `npm`, or the path of an executable. */
export const BROWSERS: readonly string[] = browsers();

/** Those that take every test; the others take some (in-browsers.ts). */
export const WHOLE: readonly string[] = ASKED === undefined ? BROWSERS.slice(0, 1) : BROWSERS;

function browsers(): string[] {
  if (ASKED !== undefined) return ASKED.split(',').filter((name) => name !== '');
  const skip = (why: string): string[] => {
    console.warn(`browser: SKIPPED ${why}`);
    return [];
  };
  const debian = DEBIAN.find((path) => existsSync(path));
  return [
    ...(packageRoot() === undefined
      ? skip('Chromium from npm: @sparticuz/chromium is not installed, or not for this system')
      : [NPM]),
    ...(debian === undefined ? skip(`${DEBIAN.join(', ')}: not installed`) : [debian]),
  ];
}

/** Rejects where it is not there or does not start. */
export async function openBrowser(name = BROWSERS[0] ?? NPM): Promise<Browser> {
  const folder = name === NPM ? await npmFolder() : undefined;
  return chromium.launch({
    executablePath: folder === undefined ? name : join(folder, 'chromium'),
    args: [
      '--no-proxy-server',
      '--disable-dev-shm-usage',
      // Without it Chromium hides software adapters, and makes timestamps coarse.
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      // A software adapter on a busy machine looks like a GPU that hangs.
      '--disable-gpu-watchdog',
      // Without these a canvas that presents WebGPU's pictures loses the device.
      '--enable-features=Vulkan',
      '--disable-vulkan-surface',
      '--use-vulkan=swiftshader',
      '--use-angle=vulkan',
      '--ignore-gpu-blocklist',
    ],
    chromiumSandbox: false,
    env: {
      ...process.env,
      ...(folder !== undefined && { LD_LIBRARY_PATH: `${join(folder, 'lib')}:${folder}` }),
    },
  });
}

/** Exceptions and console errors of a page from now on. */
export function errorsOf(page: Page): readonly string[] {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  return errors;
}

/** Unpacked once per user and version, beside SwiftShader. */
async function npmFolder(): Promise<string> {
  const folder = await unpackedFolder('chromium', async (unpack, partial) => {
    await unpack('chromium.br', createWriteStream(join(partial, 'chromium'), { mode: 0o755 }));
    // Its Vulkan driver, and the libraries that bare systems lack (in lib/).
    await unpack('swiftshader.tar.br');
    await unpack('al2023.tar.br');
  });
  if (folder !== undefined) return folder;
  throw new Error('@sparticuz/chromium is not installed, or has no binaries for this system');
}
