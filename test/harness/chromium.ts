/** Headless Chromium with WebGPU on SwiftShader. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { unpackedFolder } from '../../src/engine/swiftshader.ts';

/** The one of @sparticuz/chromium, in place of a path. */
export const NPM = 'npm';

/** `name`: `npm`, or the path of an executable. Rejects where it is not there or does not start. */
export async function openChromium(name: string): Promise<Browser> {
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
