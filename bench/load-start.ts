/** A whole start in a process of its own: weights and pipelines of a folder, ready for the first tile. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { byteLength } from '../src/engine/kernel.ts';
import { KIND, withFolder } from './load-folder.ts';

/** One process from its start to the first tile it could compute. */
export interface Start {
  /** From the first read to the last weight, and to the last pipeline; they overlap. */
  readonly loadMs: number;
  readonly compileMs: number;
  /** Both, the slots and what depends on weights alone. */
  readonly readyMs: number;
  /** Most that the process held above what it held before, weights on a software adapter not counted. */
  readonly hostBytes: number;
}

/** A new process that makes the folder ready; `cache` is where Mesa keeps compiled shaders. */
export async function startOnce(
  path: string,
  adapter: string,
  cache: string | undefined,
): Promise<Start> {
  const [, bundle = ''] = process.argv;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [bundle, 'load-once', path, '--adapter', adapter],
    { env: { ...process.env, ...(cache !== undefined && { MESA_SHADER_CACHE_DIR: cache }) } },
  );
  return JSON.parse(stdout) as Start;
}

/** In a process of its own: `bench load-once`. */
export function loadOnce(path: string, { adapter }: { readonly adapter: string }): Promise<Start> {
  return withFolder(path, adapter, async ({ context, networks, weights }) => {
    const weightBytes = weights.reduce((sum, { type }) => sum + byteLength(type), 0);
    const idle = process.memoryUsage.rss();
    // On a software adapter the weights loaded so far are in this process, and no fault of ours.
    const share = context.capabilities.isSoftware ? weightBytes : 0;
    let loaded = 0;
    let hostBytes = 0;
    const look = (): void => {
      hostBytes = Math.max(hostBytes, process.memoryUsage.rss() - idle - loaded * share);
    };
    const began = performance.now();
    const at = { load: 0, compile: 0 };
    await networks.prepare(1, {
      ...KIND,
      onProgress: ({ stage, done, total }) => {
        if (stage === 'tiles') return;
        at[stage] = performance.now() - began;
        if (stage === 'load') loaded = done / total;
        if (loaded < 1) look();
      },
    });
    const readyMs = performance.now() - began;
    return { loadMs: at.load, compileMs: at.compile, readyMs, hostBytes };
  });
}
