/** Starts the built command line in a folder of its own and tells what came of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';

export const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/cli/main.js');
export const NANO = join(ROOT, 'weights/invsr-nano');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Without what Dawn prints by itself: warnings on its limits, a missing Vulkan driver. */
  readonly stderr: string;
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sees the process and each line of its stdout. */
  readonly onLine?: (line: string, child: ChildProcess) => void;
  /** Sees all of its stderr so far. */
  readonly onStderr?: (text: string, child: ChildProcess) => void;
}

const NATIVE =
  /^Warning: (?:max\w+ artificially reduced|vkCreateInstance).*\n(?:\s+at .*\/dawn\/.*\n)*/gm;

/** Mesa's compiled shaders would follow XDG_CACHE_HOME, which tests set, and start anew. */
const MESA = {
  MESA_SHADER_CACHE_DIR:
    process.env['MESA_SHADER_CACHE_DIR'] ??
    (process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')),
};

export function invsr(args: readonly string[], options: StartOptions): Promise<Ended> {
  const { cwd, env, onLine, onStderr } = options;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...process.env, ...MESA, ...env },
  });
  let stdout = '';
  let stderr = '';
  let seen = 0;
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
    onStderr?.(stderr, child);
  });
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString();
    for (let end = stdout.indexOf('\n', seen); end >= 0; end = stdout.indexOf('\n', seen)) {
      onLine?.(stdout.slice(seen, end), child);
      seen = end + 1;
    }
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ code, signal, stdout, stderr: stderr.replace(NATIVE, '') }),
    );
  });
}

export interface Event {
  readonly event: 'progress' | 'warning' | 'result' | 'error';
  readonly [key: string]: unknown;
}

export const eventsOf = (stdout: string): Event[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);

/** A new folder under the system's temporary one; `remove` at the end of the test file. */
export function scratch(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-test-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Every file below `folder`, hidden ones included. */
export function filesIn(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(folder, name)).isFile())
    .toSorted();
}

/** Ended with `code`, one sentence on stderr that matches, no stack trace. */
export function expectRefusal({ code, stderr }: Ended, expected: number, sentence: RegExp): void {
  const lines = stderr.split('\n').filter((line) => line.startsWith('invsr: '));
  expect(lines, stderr).toHaveLength(1);
  expect(lines[0]).toMatch(sentence);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(code).toBe(expected);
}
