/** Starts rows-child.ts as a process, bundled once per test file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import type { ChildOptions } from './rows-child.ts';

const ROOT = join(import.meta.dirname, '../..');
const BUNDLE = join(ROOT, 'dist/harness/rows-child.mjs');

export interface Line {
  readonly tiles?: number;
  readonly note?: string;
  readonly stage?: string;
  readonly done?: unknown;
  readonly maxRss?: number;
}

export interface RowsEnded {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: readonly Line[];
  readonly stderr: string;
}

export function bundleRowsChild(): void {
  buildSync({
    entryPoints: [join(ROOT, 'test/harness/rows-child.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile: BUNDLE,
  });
}

interface StartOptions {
  /** Sees the process and each line of its stdout. */
  readonly onLine?: (line: Line, child: ChildProcess) => void;
  /** A program to start it with, and its arguments. */
  readonly under?: readonly string[];
}

export function startRows(
  options: ChildOptions,
  { onLine, under = [] }: StartOptions = {},
): Promise<RowsEnded> {
  const [program, ...args] = [...under, process.execPath, BUNDLE, JSON.stringify(options)];
  const child = spawn(program, args);
  let stdout = '';
  let stderr = '';
  const lines: Line[] = [];
  child.stdout.on('data', (data: Buffer) => {
    const parts = (stdout + data.toString()).split('\n');
    stdout = parts.pop() ?? '';
    for (const part of parts) {
      const line = JSON.parse(part) as Line;
      lines.push(line);
      onLine?.(line, child);
    }
  });
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, lines, stderr }));
  });
}
