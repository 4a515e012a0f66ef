/**
 * How fast weights come from a folder to the device (load-rounds.ts), and what a whole start takes with
 * cold and with warm compile caches (load-start.ts). See bench/README.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFolder } from './load-folder.ts';
import { loadRounds, type LoadRounds } from './load-rounds.ts';
import { type Start, startOnce } from './load-start.ts';
import { commitOfClone, machineOf } from './machine.ts';
import type { Machine } from './record.ts';

export interface LoadFlags {
  readonly adapter: string;
  readonly runs: number;
}

export interface LoadRecord extends LoadRounds {
  readonly machine: Machine;
  readonly first: Start;
  readonly second: Start;
}

export async function benchLoad(
  path: string,
  { adapter, runs }: LoadFlags,
  onProgress: (text: string) => void,
): Promise<LoadRecord> {
  // An empty cache for Mesa's shaders; GPU drivers keep theirs elsewhere.
  const cache = mkdtempSync(join(tmpdir(), 'invsr-bench-load-'));
  const start = (): Promise<Start> => startOnce(path, adapter, cache);
  try {
    // The files get into the page cache by the first, which nobody looks at.
    onProgress('warm-up');
    await startOnce(path, adapter, undefined);
    onProgress('first start, nothing compiled');
    const first = await start();
    onProgress('second start');
    const second = await start();
    return await withFolder(path, adapter, async (opened) => {
      const machine = machineOf(opened.context.capabilities, commitOfClone());
      return { machine, ...(await loadRounds(opened, runs, onProgress)), first, second };
    });
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}
