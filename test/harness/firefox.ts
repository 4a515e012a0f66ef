/**
 * Headless Firefox with WebGPU, as it is installed, through WebDriver BiDi. On Linux its WebGPU is behind
 * preferences. The adapter is lavapipe where that is installed, else SwiftShader from npm.
 */
import { join } from 'node:path';
import { type Browser, firefox } from 'playwright-core';
import { lavapipeIcd, swiftShaderFolder } from '../../src/engine/swiftshader.ts';
import type { AdapterName } from './device.ts';

export const firefoxAdapter: AdapterName = lavapipeIcd() === undefined ? 'swiftshader' : 'lavapipe';

const PREFERENCES = {
  'dom.webgpu.enabled': true,
  // Without it requestAdapter() gives null: Linux is on the list as a whole.
  'gfx.webgpu.ignore-blocklist': true,
} as const;

/** `path` of the executable. Rejects where it does not start. */
export async function openFirefox(path: string): Promise<Browser> {
  const swiftShader = (await swiftShaderFolder()) ?? '';
  const driver = lavapipeIcd() ?? join(swiftShader, 'vk_swiftshader_icd.json');
  const browser = await firefox.launch({
    // Firefox as it is; playwright's own build without it.
    channel: 'moz-firefox',
    executablePath: path,
    firefoxUserPrefs: PREFERENCES,
    // Two names: loaders before 1.3.207 know the second one.
    env: { ...process.env, VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver },
  });
  tolerate(browser, 'emulation.setMediaFeaturesOverride');
  return browser;
}

/** As far as they concern us, of the object behind playwright's. */
interface Inside {
  readonly _connection: {
    toImpl(browser: Browser): {
      readonly _browserSession: {
        send(method: string, params?: unknown): Promise<unknown>;
      };
    };
  };
}

/** Playwright sends a command for every context that Firefox 153 does not know: pages are light there, whatever a test asks for. */
function tolerate(browser: Browser, command: string): void {
  // oxlint-disable-next-line eslint/no-underscore-dangle -- playwright's
  const { _browserSession: session } = (browser as unknown as Inside)._connection.toImpl(browser);
  const send = session.send.bind(session);
  session.send = (method, params) =>
    send(method, params).catch((error: unknown) => {
      if (method === command && String(error).includes('unknown command')) return {};
      throw error;
    });
}
