/**
 * Ctrl-C and `kill` end the work within a second, at whatever stage, and leave nothing behind; a
 * reader that goes away does not hurt.
 */
import { spawn } from 'node:child_process';
import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reasonOf } from '../../src/cli/errors.ts';
import { writeWhole } from '../../src/cli/whole-file.ts';
import { type Event, filesIn, invsr, ROOT, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
beforeAll(() => copyFileSync(join(ROOT, 'examples/images/still-life-lr.png'), join(cwd, 'in.png')));
afterAll(remove);

/** A second, where nobody else wants the cores; with L threads in turn on C of them, L / C times as long. */
const limitMs = (): number => 1000 * (1 + loadavg()[0]! / cpus().length);

/** What a shell shows for a process that ended so. */
const shellStatus = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === 'SIGINT' ? 2 : 15);

describe('interrupted', () => {
  test.each([
    ['SIGINT', 'load'],
    ['SIGINT', 'compile'],
    ['SIGINT', 'tiles'],
    ['SIGTERM', 'tiles'],
  ] as const)('by %s in stage %s', async (signal, stage) => {
    let sentAt = 0;
    const ended = await invsr(
      ['upscale', 'in.png', '-o', 'new/out.png', '--adapter', 'software', '--json'],
      {
        cwd,
        onLine: (line, child) => {
          const event = JSON.parse(line) as Event;
          if (sentAt > 0 || event['stage'] !== stage) return;
          sentAt = performance.now();
          child.kill(signal);
          child.kill(signal); // a terminal and npx may each deliver it
        },
      },
    );
    expect(performance.now() - sentAt).toBeLessThan(limitMs());
    // 130, or the signal itself where one submit of a slow adapter outlasts main.ts's grace.
    expect([130, 128 + 15]).toContain(shellStatus(ended.code, ended.signal));
    if (signal === 'SIGINT') expect(shellStatus(ended.code, ended.signal)).toBe(130);
    expect(ended.stderr).toMatch(/^invsr: interrupted; nothing was written/m);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(filesIn(cwd)).toEqual(['in.png']);
  });
});

describe('a reader that goes away', () => {
  const main = join(ROOT, 'dist/cli/main.js');

  test('is no error for info', async () => {
    const child = spawn(process.execPath, [main, 'info'], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(stderr).not.toMatch(/EPIPE|^\s+at /m);
    expect(code).toBe(0);
  });

  test('does not stop the work', async () => {
    mkdirSync(join(cwd, 'piped'));
    const args = ['upscale', 'in.png', '-o', 'piped/out.png', '--tile', '16', '--overlap', '0'];
    let lines = 0;
    const ended = await invsr([...args, '--adapter', 'software', '--json'], {
      cwd,
      onLine: (_, child) => {
        if (lines++ === 0) child.stdout?.destroy();
      },
    });
    expect(ended.stderr).not.toMatch(/EPIPE|^\s+at /m);
    expect(ended.code).toBe(0);
    expect(filesIn(join(cwd, 'piped'))).toEqual(['out.png']);
  });

  test.runIf(process.platform === 'linux')('stdout on a full disk is an error', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [main, 'info'], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    let stderr = '';
    child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(stderr).toMatch(/^invsr: cannot write to standard output: the disk is full$/m);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
  });
});

describe('files are whole or not there', () => {
  test('nothing is left when the last step fails', async () => {
    const folder = join(cwd, 'taken');
    mkdirSync(join(folder, 'out.png'), { recursive: true });
    writeFileSync(join(folder, 'out.png/inside'), '');
    // A folder of that name: the temporary file can be written, but not renamed.
    await expect(writeWhole(join(folder, 'out.png'), new Uint8Array(10))).rejects.toThrow(
      /^cannot write .*out\.png: .*; choose another place or make room$/,
    );
    expect(filesIn(folder)).toEqual(['out.png/inside']);
  });

  // Where nothing can be made, Node's own recursive mkdir never comes back.
  test.runIf(process.platform === 'linux')('a file in /proc', async () => {
    await expect(writeWhole('/proc/out.png', new Uint8Array(10))).rejects.toThrow(
      /^cannot write \/proc\/out\.png: no such file or folder/,
    );
    await expect(writeWhole('/proc/a/b/out.png', new Uint8Array(10))).rejects.toThrow(
      /^cannot write \/proc\/a\/b\/out\.png: no such file or folder/,
    );
  });

  test.each([
    ['ENOSPC', 'the disk is full'],
    ['EROFS', 'the file system is read-only'],
    ['EACCES', 'permission denied'],
  ])('%s is said in words', (code, words) => {
    expect(reasonOf(Object.assign(new Error(`${code}: …`), { code }))).toBe(words);
  });
});
