/** `invsr tune` and the table that it keeps, as a person meets them. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventsOf, expectRefusal, filesIn, invsr, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
afterAll(remove);
const cache = join(cwd, 'cache');
const designs = join(cache, 'invsr/designs');
const env = { XDG_CACHE_HOME: cache };
const ADAPTER = ['--adapter', 'software'];
/** Small enough for a tile of 16 to be measured in seconds. */
const TINY = ['--model', 'tiny', '--tile', '16', ...ADAPTER];

beforeAll(async () => {
  expect((await invsr(['weights', 'synth', 'tiny', '--size', 'tiny'], { cwd })).code).toBe(0);
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  const create = { width: 16, height: 16, channels: 3, background: '#888', noise } as const;
  await sharp({ create }).png().toFile(join(cwd, 'in.png'));
});

const resultOf = (stdout: string) =>
  eventsOf(stdout).find(({ event }) => event === 'result') as unknown as {
    readonly tune: string;
    readonly file: string;
    readonly classes: readonly { readonly key: string; readonly tuned?: string }[];
  };

const tableFile = (): string => join(designs, readdirSync(designs)[0]!);
const readTable = () =>
  JSON.parse(readFileSync(tableFile(), 'utf8')) as {
    identity: Record<string, string>;
    designs: Record<string, string>;
  };

test('--dry-run lists classes and candidates, and writes nothing', async () => {
  const { code, stdout } = await invsr(['tune', '--dry-run', ...TINY], { cwd, env });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ {2}cpu gemm .* 4x4 or 2x4/m);
  expect(stdout).toMatch(/(\d+) of \1 classes of sizes would be measured/);
  expect(filesIn(designs)).toEqual([]);
});

test('a table is kept, grows from run to run, and is used without a word', async () => {
  const first = await invsr(['tune', '--minutes', '0.01', ...TINY, '--json'], { cwd, env });
  expect(first.code, first.stderr).toBe(0);
  const { classes, file } = resultOf(first.stdout);
  expect(file).toBe(tableFile());
  expect(Object.keys(readTable().designs)).toEqual(classes.map(({ key }) => key));
  expect(classes.length).toBeGreaterThan(0);

  const plan = resultOf(
    (await invsr(['tune', '--dry-run', ...TINY, '--json'], { cwd, env })).stdout,
  );
  expect(plan.classes.filter(({ tuned }) => tuned !== undefined)).toHaveLength(classes.length);

  const args = ['upscale', 'in.png', '-o', 'out.png', ...TINY];
  const quiet = await invsr(args, { cwd, env });
  expect(quiet.stderr).not.toContain('designs');
  const debug = await invsr(args, { cwd, env: { ...env, INVSR_DEBUG: '1' } });
  expect(debug.stderr).toContain(`designs: ${classes.length} classes of sizes tuned on`);
  const info = await invsr(['info'], { cwd, env });
  expect(info.stdout).toContain(`${classes.length} classes of sizes tuned on`);
});

test.each([
  [
    "another driver's table",
    () => {
      const table = readTable();
      return JSON.stringify({ ...table, identity: { ...table.identity, driver: 'older' } });
    },
    'the driver was "older" and is',
  ],
  ['a damaged table', () => '{"format": "invsr des', 'it is damaged'],
])('%s is not used: one line says why, the work goes on', async (_, text, why) => {
  writeFileSync(tableFile(), text());
  const { code, stderr } = await invsr(['upscale', 'in.png', '-o', 'out.png', ...TINY], {
    cwd,
    env,
  });
  expect(code).toBe(0);
  expect(stderr.split('\n').filter((line) => line.includes('tuned designs'))).toEqual([
    expect.stringContaining(`are not used: ${why}`),
  ]);
});

test('the next tuning replaces a damaged table', async () => {
  expect(() => readTable()).toThrow(SyntaxError);
  const again = await invsr(['tune', '--minutes', '0.01', ...TINY], { cwd, env });
  expect(again.code).toBe(0);
  expect(Object.keys(readTable().designs).length).toBeGreaterThan(0);
});

test('a cache that cannot be written: a line, and the table is printed all the same', async () => {
  rmSync(cache, { recursive: true });
  writeFileSync(cache, 'in the way');
  const args = ['tune', '--minutes', '0.01', ...TINY];
  const { code, stdout, stderr } = await invsr(args, { cwd, env });
  expect(code).toBe(0);
  expect(stderr).toMatch(/^tuned designs cannot be kept in .*: /m);
  expect(stdout).toMatch(/classes of sizes measured/);
  rmSync(cache);
  mkdirSync(cache);
});

test('upscale --tune measures after the picture, until it is interrupted', async () => {
  const args = ['upscale', 'in.png', '-o', 'tuned.png', ...TINY, '--tune', '--json'];
  let stopped = false;
  const { stdout } = await invsr(args, {
    cwd,
    env,
    onStderr: (text, child) => {
      if (stopped || !/^1 of \d+ /m.test(text)) return;
      stopped = true;
      child.kill('SIGINT');
    },
  });
  expect(stopped).toBe(true);
  expect(eventsOf(stdout).some(({ event }) => event === 'result')).toBe(true);
  expect(filesIn(cwd)).toContain('tuned.png');
  expect(Object.keys(readTable().designs).length).toBeGreaterThan(0);
});

test('wrong values are refused in one sentence', async () => {
  const { code, stderr, ...rest } = await invsr(['tune', '--minutes', 'soon'], { cwd, env });
  expectRefusal({ code, stderr, ...rest }, 2, /expected a number from 0\.01 to 600/);
});
