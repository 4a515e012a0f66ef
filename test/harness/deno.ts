/**
 * Deno, whose WebGPU is wgpu with naga for its WGSL, as Firefox has them: a process that loads the script of
 * a test page (test/browser) and calls what that puts on `window`.
 *
 * INVSR_TEST_DENO names a binary in place of the one from npm, or none where it is empty.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { deserialize, serialize } from 'node:v8';
import { afterAll, beforeAll } from 'vitest';
import { lavapipeIcd, swiftShaderFolder } from '../../src/engine/swiftshader.ts';
import { serveSite, type Site } from '../browser/site.ts';
import type { Calls } from './calls.ts';
import { type AdapterName, adapterNames } from './device.ts';

/** Path of the binary, or undefined. */
export const DENO: string | undefined = findDeno();

function findDeno(): string | undefined {
  const given = process.env['INVSR_TEST_DENO'];
  if (given !== undefined) return given || undefined;
  // Of npm's package `deno` only what it depends on per platform: that has the binary.
  const name = `@deno/${process.platform}-${process.arch}-glibc/deno`;
  try {
    return createRequire(new URL('../wgpu/package.json', import.meta.url)).resolve(name);
  } catch {
    console.warn(`wgpu: SKIPPED ${name}: not installed, or not for this system`);
    return undefined;
  }
}

/** Adapters for it on this machine. */
export const denoAdapters: readonly AdapterName[] = DENO === undefined ? [] : adapterNames;

/** Options of `deno` before a script's path. */
export const DENO_RUN = ['run', '--allow-all', '--unstable-webgpu'];

/** Its environment: the Vulkan loader's one driver is the adapter's. */
export async function denoEnvironment(adapter: AdapterName): Promise<NodeJS.ProcessEnv> {
  const folder = adapter === 'swiftshader' ? await swiftShaderFolder() : undefined;
  const icd = folder === undefined ? lavapipeIcd() : join(folder, 'vk_swiftshader_icd.json');
  if (icd === undefined) throw new Error(`no driver of ${adapter}`);
  return {
    ...process.env,
    VK_DRIVER_FILES: icd,
    VK_ICD_FILENAMES: icd,
    // A loader lies beside it, for systems without one.
    ...(folder !== undefined && { LD_LIBRARY_PATH: folder }),
    DENO_NO_UPDATE_CHECK: '1',
  };
}

/** A script of test/browser with the server of its page. */
export interface DenoPage {
  readonly site: Site;
  /** Calls functions of what the script put on `window`. */
  call<Key extends 'engine' | 'app'>(key: Key): Calls<Window[Key]>;
  close(): Promise<void>;
}

/** The page of a script of test/browser for the tests of a block. */
export function useDeno(script: string, adapter: AdapterName): () => DenoPage {
  let page: DenoPage;
  beforeAll(async () => {
    page = await openInDeno(script, adapter);
  });
  afterAll(() => page?.close());
  return () => page;
}

async function openInDeno(script: string, adapter: AdapterName): Promise<DenoPage> {
  const site = await serveSite(script);
  const deno = await startDeno(site, adapter).catch(async (error: unknown) => {
    await site.close();
    throw error;
  });
  return {
    site,
    call: (key) => ((name: string, ...args: unknown[]) => deno.call(key, name, args)) as never,
    close: async () => {
      await deno.close();
      await site.close();
    },
  };
}

interface DenoProcess {
  /** A function of an object that the script put on `window`. */
  call(object: string, name: string, args: readonly unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

const CHILD = join(import.meta.dirname, 'deno-child.ts');

/** Rejects where the script throws. */
async function startDeno({ script, url }: Site, adapter: AdapterName): Promise<DenoProcess> {
  if (DENO === undefined) throw new Error('no Deno at hand');
  const child = spawn(
    DENO,
    [...DENO_RUN, '--no-config', '--location', url, CHILD, script],
    // It ends with its stdin.
    { stdio: ['pipe', 'pipe', 'inherit'], env: await denoEnvironment(adapter) },
  );
  const ended = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const [address] = await Promise.race([
    once(lines, 'line') as Promise<[string]>,
    ended.then(([code]) => {
      throw new Error(`Deno ended with ${String(code)}`);
    }),
  ]);
  return {
    async call(...request) {
      const response = await fetch(address, { method: 'POST', body: serialize(request) });
      const body = Buffer.from(await response.arrayBuffer());
      if (!response.ok) throw new Error(`in Deno: ${body.toString()}`);
      return deserialize(body);
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
