/**
 * Whatever ends the process, the same command goes on where it stopped and makes the same bytes; and
 * a result of any size is made in flat memory.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { upscaleToFile } from '../../src/cli/upscale-to-file.ts';
import { DeviceLostError } from '../../src/engine/errors.ts';
import { fakeNetworks } from '../harness/fake-networks.ts';
import { uniform } from '../harness/random.ts';
import { bundleRowsChild, startRows } from '../harness/rows-process.ts';
import { type Ended, type Event, eventsOf, filesIn, invsr, ROOT, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
const at = (name: string) => join(cwd, name);
const journalOf = (name: string) => at(`.${name}.invsr-part`);
const hashOf = (name: string) =>
  createHash('sha256')
    .update(readFileSync(at(name)))
    .digest('hex');

beforeAll(async () => {
  bundleRowsChild();
  copyFileSync(join(ROOT, 'examples/images/garden-lr.png'), at('in.png'));
  await sharp(at('in.png')).resize(96, 64).png().toFile(at('small.png'));
});
afterAll(remove);

describe('killed at random, networks that can be predicted', () => {
  test.each([
    [4, 'none'],
    [4, 'wavelet'],
    [2.5, 'ycbcr'],
  ] as const)('scale %f, colour fix %s', async (scale, colorFix) => {
    const job = { input: at('in.png'), tile: 16, scale, colorFix, delayMs: 25 };
    const plain = await startRows({ ...job, output: at('plain.png') });
    expect(plain.stderr).toBe('');
    const next = uniform(17);
    const starts: number[] = [];
    for (let run = 0; ; run++) {
      expect(run).toBeLessThan(100);
      // Some batches after it began, at a moment between two of them or within one.
      const [batches, delay] = [1 + Math.floor(40 * next()), 30 * next()];
      let seen = 0;
      const { signal, lines } = await startRows(
        { ...job, output: at('killed.png') },
        {
          onLine: ({ tiles }, child) => {
            if (tiles !== undefined && ++seen === batches) {
              setTimeout(() => child.kill('SIGKILL'), delay).unref();
            }
          },
        },
      );
      if (run === 0) expect(signal).toBe('SIGKILL');
      const note = lines.find((line) => line.note?.includes('resumed: '))?.note;
      starts.push(Number(/resumed: (\d+) of/.exec(note ?? '')?.[1] ?? 0));
      if (lines.some(({ done }) => typeof done === 'object')) break;
    }
    // It went on every time, and the last time from well inside.
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(starts.at(-1)).toBeGreaterThan(10);
    expect(hashOf('killed.png')).toBe(hashOf('plain.png'));
    expect(existsSync(journalOf('killed.png'))).toBe(false);
  });
});

describe('the command line', () => {
  const args = ['upscale', 'small.png', '--tile', '32', '--adapter', 'software', '--json'];

  /** Runs until `tile` tiles are done, then sends the signal. */
  const interruptAt = async (tile: number, signal: NodeJS.Signals, output: string) => {
    let sent = false;
    return invsr([...args, '-o', output], {
      cwd,
      onLine: (line, child) => {
        const event = JSON.parse(line) as Event;
        if (sent || event['stage'] !== 'tiles' || Number(event['done']) < tile) return;
        sent = true;
        child.kill(signal);
      },
    });
  };

  /** Tiles that were kept, and no more than were told of: the one under way, and one that was done since. */
  const expectKept = (before: Ended, after: Ended, least: number) => {
    const kept = Number(/: resumed: (\d+) of 12 tiles$/m.exec(after.stderr)?.[1] ?? 0);
    const told = eventsOf(before.stdout).filter(({ stage }) => stage === 'tiles');
    expect(kept).toBeGreaterThanOrEqual(least);
    expect(kept).toBeLessThanOrEqual(Math.floor(Number(told.at(-1)?.['done'])) + 1);
  };

  test('goes on after SIGKILL, and after Ctrl-C, with the same bytes', async () => {
    expect((await invsr([...args, '-o', 'whole.png'], { cwd })).code).toBe(0);
    const first = await interruptAt(2, 'SIGKILL', 'cut.png');
    expect(first.signal).toBe('SIGKILL');
    expect(existsSync(at('cut.png'))).toBe(false);
    const second = await interruptAt(5, 'SIGINT', 'cut.png');
    expectKept(first, second, 1);
    expect(second.stderr).toMatch(/^invsr: interrupted; what is done .* is kept/m);
    const third = await invsr([...args, '-o', 'cut.png'], { cwd });
    expectKept(second, third, 4);
    expect(third.code).toBe(0);
    expect(hashOf('cut.png')).toBe(hashOf('whole.png'));
    expect(filesIn(cwd).filter((name) => name.includes('.invsr-part'))).toEqual([]);
  });

  test('another command begins anew, and so does --no-resume', async () => {
    await interruptAt(2, 'SIGKILL', 'other.png');
    const other = await invsr([...args, '-o', 'other.png', '--seed', '9'], { cwd });
    expect(other.stderr).toMatch(/^other\.png: begun anew; .* another command$/m);
    expect(other.code).toBe(0);
    await interruptAt(2, 'SIGKILL', 'anew.png');
    const anew = await invsr([...args, '-o', 'anew.png', '--no-resume'], { cwd });
    expect(anew.stderr).not.toMatch(/resumed/);
    expect(hashOf('anew.png')).toBe(hashOf('whole.png'));
    expect(hashOf('other.png')).not.toBe(hashOf('whole.png'));
  });

  test('a changed input begins anew', async () => {
    copyFileSync(at('small.png'), at('changing.png'));
    const changing = ['upscale', 'changing.png', ...args.slice(2), '-o', 'changed.png'];
    await invsr(changing, {
      cwd,
      onLine: (line, child) => {
        if (Number((JSON.parse(line) as Event)['tile']) > 3) child.kill('SIGKILL');
      },
    });
    expect(existsSync(journalOf('changed.png'))).toBe(true);
    await sharp(at('small.png')).negate().png().toFile(at('changing.png'));
    const ended = await invsr(changing, { cwd });
    expect(ended.stderr).toMatch(/begun anew/);
  });

  test('two processes do not write one picture', async () => {
    mkdirSync(journalOf('locked.png'));
    writeFileSync(join(journalOf('locked.png'), 'lock'), String(process.pid));
    const ended = await invsr([...args, '-o', 'locked.png'], { cwd });
    expect(ended.stderr).toMatch(
      /locked\.png is being made by process \d+; wait for it, or delete/,
    );
    expect(ended.code).toBe(2);
  });
});

test('a device that is lost: told, what is done is kept, and gone on with', async () => {
  const notes: string[] = [];
  const run = async (output: string, lostAt: number): Promise<unknown> => {
    let batches = 0;
    const patches = fakeNetworks({
      tile: 32,
      onBatch: () => {
        if (++batches > lostAt) throw new DeviceLostError('the device is gone');
      },
    });
    const tiling = { tile: 32, tileBatch: 1, overlap: 0.125, colorFix: 'none' } as const;
    const job = { input: at('in.png'), output: at(output), scale: 4, resume: true } as const;
    return upscaleToFile(
      { ...job, depth: 'auto', settings: null },
      {
        networks: async () => ({ patches, tiling, key: 'k' }),
        onNote: (note) => notes.push(note),
      },
    );
  };
  await run('plain.png', Infinity);
  await expect(run('lost.png', 9)).rejects.toThrow('the device is gone');
  expect(notes).toEqual([
    expect.stringMatching(/lost\.png: 9 of 35 tiles are kept; the same command/),
  ]);
  await run('lost.png', Infinity);
  expect(notes.at(-1)).toMatch(/lost\.png: resumed: 9 of 35 tiles$/);
  expect(hashOf('lost.png')).toBe(hashOf('plain.png'));
});

test.runIf(process.platform === 'linux')(
  'a full disk: one sentence, what is done is kept',
  async () => {
    const job = { input: at('in.png'), tile: 32, scale: 4, colorFix: 'none', delayMs: 0 } as const;
    const plain = await startRows({ ...job, output: at('plain.png') });
    expect(plain.code).toBe(0);
    // A limit on the size of any file stands for the full disk: the rows do not fit, patches do.
    const full = await startRows(
      { ...job, output: at('full.png') },
      { under: ['prlimit', '--fsize=700000'] },
    );
    expect(full.code).not.toBe(0);
    expect(full.stderr).toMatch(/cannot write .*full\.png: .*; choose another place or make room/);
    expect(
      full.lines.some(({ note }) => note !== undefined && /\d+ of 35 tiles are kept/.test(note)),
    ).toBe(true);
    const again = await startRows({ ...job, output: at('full.png') });
    expect(again.lines[0]?.note).toMatch(/resumed: \d+ of 35/);
    expect(hashOf('full.png')).toBe(hashOf('plain.png'));
  },
);

test('5000 x 600 to 20000 x 2400 needs less memory than its floats alone', async () => {
  const tile = { input: readFileSync(at('in.png')), tile: true };
  const size = { width: 5000, height: 600 };
  await sharp({ create: { ...size, channels: 3, background: '#888' } })
    .composite([tile])
    .png()
    .toFile(at('wide.png'));
  const { lines, stderr } = await startRows({
    input: at('wide.png'),
    output: at('wide-out.png'),
    tile: 64,
    scale: 4,
    colorFix: 'none',
    delayMs: 0,
  });
  expect(stderr).toBe('');
  const floats = 20_000 * 2400 * 3 * 4;
  const upTo = (stage: string, done: number) =>
    lines.find((line) => line.stage === stage && line.done === done)?.maxRss ?? Infinity;
  // 345 MB until all rows are done, of which 75 are Node and sharp; 470 with the encoder's.
  expect(upTo('finish', 0)).toBeLessThan(0.8 * floats);
  expect(lines.at(-1)?.maxRss).toBeLessThan(floats);
  const { width, height } = await sharp(at('wide-out.png'), { limitInputPixels: false }).metadata();
  expect({ width, height }).toEqual({ width: 20_000, height: 2400 });
});
