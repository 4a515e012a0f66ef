/** README's first commands, in a clone whose sample pictures are small: `npm run demo`, and the page. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { servedBy } from '../harness/served-by.ts';
import { ROOT, scratch } from './invsr.ts';

const { folder: clone, remove } = scratch();
afterAll(remove);

/** What is built is built there: other tests use this checkout's. */
beforeAll(async () => {
  const own = ['.git', '.cache', 'dist', 'out', 'demo', 'examples'];
  for (const name of readdirSync(ROOT).filter((name) => !own.includes(name))) {
    symlinkSync(join(ROOT, name), join(clone, name));
  }
  // esbuild names entry points by where links lead.
  cpSync(join(ROOT, 'demo'), join(clone, 'demo'), { recursive: true });
  const images = 'examples/images';
  mkdirSync(join(clone, images), { recursive: true });
  for (const name of ['still-life-lr.png', 'garden-lr.png']) {
    const part = { left: 40, top: 40, width: 32, height: 24 };
    await sharp(join(ROOT, images, name))
      .extract(part)
      .toFile(join(clone, images, name));
  }
});

/** A folder that somebody else has something in. */
const othersFolder = (name: string): string => {
  mkdirSync(join(clone, name));
  writeFileSync(join(clone, name, 'theirs.txt'), 'theirs');
  return name;
};
const sizeOf = async (path: string): Promise<string> => {
  const { width, height } = await sharp(join(clone, path)).metadata();
  return `${width}x${height}`;
};

test('demo: a picture, and before and after', async () => {
  execFileSync(process.execPath, ['scripts/demo.mjs', '--tile', '32'], { cwd: clone });
  expect(await sizeOf('out/still-life-x4.png')).toBe('128x96');
  expect(await sizeOf('out/still-life-before-after.png')).toMatch(/^2\d\dx96$/);
});

test('demo: options are those of upscale, and nothing of theirs goes', () => {
  const folder = othersFolder('pictures');
  const run = spawnSync(process.execPath, ['scripts/demo.mjs', '--out', folder], { cwd: clone });
  expect(run.stderr.toString()).toContain("unknown option '--out'");
  expect(run.status).toBe(2);
  expect(readdirSync(join(clone, folder))).toEqual(['theirs.txt']);
});

test('demo:page --out: beside what a folder has', () => {
  const folder = othersFolder('site');
  execFileSync(process.execPath, ['scripts/demo-page.mjs', '--out', folder], { cwd: clone });
  const names = readdirSync(join(clone, folder));
  expect(names).toEqual(expect.arrayContaining(['index.html', 'page.js', 'theirs.txt']));
  const worker = readFileSync(join(clone, folder, 'worker.js'), 'utf8');
  expect(worker).toContain('page.js');
  expect(worker).not.toContain('theirs.txt');
});

test.each(['demo-page', 'bench-page'])('%s is served', async (name) => {
  await using server = await servedBy([`scripts/${name}.mjs`, '--port', '0'], { cwd: clone });
  const page = await fetch(server.url);
  expect(page.status).toBe(200);
  const [, script = ''] = /<script type="module" src="([^"]+)"/.exec(await page.text()) ?? [];
  const code = await fetch(new URL(script, server.url));
  expect(code.headers.get('content-type')).toContain('javascript');
});
