/** The example for Node: pictures out of a folder, one by one; Ctrl-C keeps those that are done. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, expect, test } from 'vitest';
import { scratch } from './invsr.ts';

const { folder, remove } = scratch();
afterAll(remove);

test('node-batch: a picture four times as large, then Ctrl-C', async () => {
  const [from, to] = [join(folder, 'in'), join(folder, 'out')];
  mkdirSync(from);
  const photo = sharp('examples/images/still-life-lr.png');
  for (const name of ['a.png', 'b.jpg', 'c.webp']) {
    await photo
      .clone()
      .extract({ left: 40, top: 40, width: 40, height: 32 })
      .toFile(join(from, name));
  }
  // A group of its own: Ctrl-C reaches the command and what it has started.
  const child = spawn(process.execPath, ['scripts/examples.mjs', 'node-batch', from, to], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const ended = once(child, 'exit');
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  child.stdout.on('data', (data: Buffer) => {
    const isFirst = !said.includes('→');
    said += data.toString();
    if (isFirst && said.includes('→') && child.pid !== undefined)
      process.kill(-child.pid, 'SIGINT');
  });
  expect(await ended, said).toEqual([130, null]);
  expect(said).toContain('1/3 a.png');
  expect(said).toContain('stopped; the pictures that are done stay');
  expect(await sharp(join(to, 'a-x4.png')).metadata()).toMatchObject({ width: 160, height: 128 });
  expect(existsSync(join(to, 'c-x4.png'))).toBe(false);
});
