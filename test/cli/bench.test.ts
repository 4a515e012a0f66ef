/** `invsr bench`: what it measures, compares and refuses, as a person sees it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { KernelRecord } from '../../bench/record.ts';
import type { Trace } from '../../bench/trace.ts';
import { eventsOf, expectRefusal, invsr, scratch } from './invsr.ts';

const { folder, remove } = scratch();
afterAll(remove);

/** The smallest kernels of the path; a time limit, because ceilings take seconds on their own. */
const FAST = ['--adapter', 'swiftshader', '--filter', 'affine a f32 [1,64,64,4]'];
const QUICK = [...FAST, '--samples', '5', '--seconds', '0.05'];
const bench = (...args: string[]) => invsr(['bench', 'kernels', ...args], { cwd: folder });

const recordIn = (stdout: string): KernelRecord => {
  const results = eventsOf(stdout).filter(({ event }) => event === 'result');
  expect(results).toHaveLength(1);
  return results[0] as unknown as KernelRecord;
};

test('--json is the record; --out keeps it, and a later run is compared with it', async () => {
  const first = await bench(...QUICK, '--json', '--out', 'bench.jsonl');
  expect(first.code, first.stderr).toBe(0);
  const record = recordIn(first.stdout);
  expect(record.bench).toBe('kernels');
  expect(record.machine.adapter).toMatch(/SwiftShader/);
  expect(record.machine.dawn).toMatch(/^webgpu \d/);
  expect(record.machine.commit).toMatch(/^invsr \d/);
  expect(record.rows.length).toBeGreaterThan(1);
  for (const { op, milliseconds, ofCeiling } of record.rows) {
    expect(op).toBe('affine');
    expect(milliseconds.runs).toBeGreaterThanOrEqual(5);
    expect(ofCeiling).toBeGreaterThan(0);
  }
  const kept = JSON.parse(readFileSync(join(folder, 'bench.jsonl'), 'utf8')) as KernelRecord;
  expect(kept.rows).toEqual(record.rows);

  const second = await bench(...QUICK, '--compare', 'bench.jsonl');
  expect(second.code, second.stderr).toBe(0);
  expect(second.stdout).toMatch(/^ceilings: copy [\d.]+ GB\/s, f32 [\d.]+ GFLOP\/s$/m);
  expect(second.stdout).toMatch(/% of ceiling/);
  expect(second.stdout).toMatch(new RegExp(`^compared with ${record.machine.commit} of `, 'm'));
  const [, faster, slower, same] =
    /^(\d+) faster, (\d+) slower, (\d+) the same within noise$/m.exec(second.stdout) ?? [];
  expect(Number(faster) + Number(slower) + Number(same)).toBe(record.rows.length);
});

test('an interruption leaves the record of what was measured, and the code of one', async () => {
  let isSent = false;
  const args = ['bench', 'kernels', ...FAST, '--samples', '100000', '--seconds', '1', '--json'];
  const { code, stdout, stderr } = await invsr(args, {
    cwd: folder,
    onStderr(text, child) {
      if (isSent || !/^1\/\d+ /m.test(text)) return;
      isSent = true;
      child.kill('SIGINT');
    },
  });
  expect(stderr).toMatch(/^invsr: interrupted; the record has what was measured until then$/m);
  expect(code).toBe(130);
  const record = recordIn(stdout);
  expect(record.incomplete).toMatch(/^interrupted; \d of \d kernels were measured$/);
  expect(record.rows.length).toBeGreaterThan(0);
});

test('--html and --profile show the kernels and one run of the model', async () => {
  const affine = ['--filter', 'affine a f32 [1,16,16,4]', '--tile', '32'];
  const files = ['--html', 'report.html', '--profile', 'trace.json'];
  const { code, stderr } = await bench(...QUICK, ...affine, ...files);
  expect(code, stderr).toBe(0);
  const html = readFileSync(join(folder, 'report.html'), 'utf8');
  expect(html).toContain('affine 1x16x16x4');
  const trace = JSON.parse(readFileSync(join(folder, 'trace.json'), 'utf8')) as Trace;
  const layers = trace.traceEvents.flatMap(({ args }) => ('layer' in args ? [args.layer] : []));
  expect(layers.length).toBeGreaterThan(300);
  for (const layer of layers) expect(html).toContain(`data-path="${layer}"`);
});

test('bench model: wall and GPU times of one tile, a table or a record', async () => {
  expect((await invsr(['weights', 'synth', 'tiny', '--size', 'tiny'], { cwd: folder })).code).toBe(
    0,
  );
  const args = [
    'bench',
    'model',
    '--model',
    'tiny',
    '--tile',
    '16',
    '--runs',
    '1',
    '--adapter',
    'software',
  ];
  const out = ['--out', 'model.jsonl'];
  const { code, stdout, stderr } = await invsr(
    [...args, '--precision', 'f32', '--no-tuned', ...out],
    {
      cwd: folder,
    },
  );
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^ms +f32 +GFLOP\/s$/m);
  for (const row of ['unet', 'sum of GPU times', 'wall, upload to readback'])
    expect(stdout).toMatch(new RegExp(`^${row} +[\\d.]+`, 'm'));
  const kept: unknown = JSON.parse(readFileSync(join(folder, 'model.jsonl'), 'utf8'));
  expect(kept).toMatchObject({
    bench: 'model',
    tile: 16,
    tunedClasses: 0,
    paths: [{ precision: 'f32' }],
  });
});

test('a report that cannot be written', async () => {
  const { code, stderr } = await bench(...QUICK, '--html', 'nowhere/report.html');
  expect(code).toBe(1);
  expect(stderr).toMatch(/cannot write nowhere\/report\.html: /);
});

test('--list names the cases and their sizes', async () => {
  const { code, stdout } = await bench(
    '--adapter',
    'swiftshader',
    '--shape',
    '4096x4096',
    '--list',
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/^unet {2}5 × attention q .*\(4096x4096x64 h5\)$/m);
});

test('--no-model leaves the shapes of InvSR-1', async () => {
  const list = ['--filter', 'layerNorm', '--list'];
  const both = (await bench('--adapter', 'swiftshader', ...list)).stdout;
  const { code, stdout } = await bench('--adapter', 'swiftshader', ...list, '--no-model');
  expect(code).toBe(0);
  expect(both).toContain('invsr-nano unet');
  expect(stdout).not.toContain('invsr-nano');
  expect(stdout).toContain('layerNorm x f32 [1,4096,320]');
});

describe('refuses in a sentence', () => {
  const row = { id: 'a', milliseconds: { p10: 1, median: 2, p90: 3, runs: 5 } };
  const machine = { adapter: 'another card', vendor: '', architecture: '' };
  writeFileSync(
    join(folder, 'foreign.json'),
    JSON.stringify({ bench: 'kernels', machine, rows: [row] }),
  );
  writeFileSync(join(folder, 'damaged.json'), '{"bench":"kernels","mach');
  test.each([
    [[...FAST, '--compare', 'nowhere.json'], /cannot read --compare nowhere.json: /],
    [[...FAST, '--compare', 'damaged.json'], /damaged.json is no record of a bench: line 1 /],
    [
      [...FAST, '--compare', 'foreign.json'],
      /was measured on another card, but this is SwiftShader.*--compare-anyway/,
    ],
    [
      ['--adapter', 'swiftshader', '--filter', 'fft'],
      /no kernel matches --filter fft; there are affine \(\d+\), .*--list/,
    ],
    [['--samples', '1'], /expected a whole number of at least 5/],
    [['--adapter', 'nonsense'], /nonsense/],
  ])('%j', async (args, sentence) => {
    expectRefusal(await bench(...args), 2, sentence);
  });
});
