/** What one sees who asks: help, version, info, and progress on a terminal and elsewhere. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AdapterNameError, DeviceError } from '../../src/engine/errors.ts';
import { exitCodeOf } from '../../src/cli/errors.ts';
import { createMeter } from '../../src/cli/progress.ts';
import { STAGES } from '../../src/invsr/tile-graph.ts';
import { expectWithin } from '../../src/engine/device.ts';
import { expectRefusal, invsr, ROOT } from './invsr.ts';

const cwd = ROOT;

test('bare invsr prints help and is a wrong command line', async () => {
  const { code, stderr } = await invsr([], { cwd });
  expect(stderr).toMatch(/^Usage: invsr /);
  expect(code).toBe(2);
});

test.each([
  [['--help']],
  [['help']],
  [['upscale', '--help']],
  [['info', '--help']],
  [['weights', 'convert', '--help']],
  [['weights', 'synth', '--help']],
])('%s: usage first, examples last', async (args) => {
  const { code, stdout, stderr } = await invsr(args, { cwd });
  expect(stdout).toMatch(/^Usage: invsr [^]*\nExamples:\n( {2}invsr .*\n)+$/);
  expect(stdout).not.toMatch(/\(default: [^)]*\)\s*\(default: /); // told once
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test.each([
  ['upscale in.png --scale 9', /^invsr: .*; see invsr upscale --help$/m],
  ['weights convert in.pth', /^invsr: .*; see invsr weights convert --help$/m],
  ['--nothing', /^invsr: .*; see invsr --help$/m],
])('%s: names the help that helps', async (args, sentence) => {
  expectRefusal(await invsr(args.split(' '), { cwd }), 2, sentence);
});

test("--version is package.json's", async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  expect((await invsr(['--version'], { cwd })).stdout).toBe(`${version}\n`);
});

test('info: one object with what each adapter would get', async () => {
  const { code, stdout } = await invsr(['info', '--json'], { cwd });
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  const { adapters } = JSON.parse(stdout) as { adapters: unknown[] };
  expect(adapters.length).toBeGreaterThan(0);
  for (const adapter of adapters) {
    expect(adapter).toMatchObject({
      name: expect.stringMatching(/./),
      family: expect.stringMatching(/^(cpu|alu|matrix)$/),
      precision: expect.stringMatching(/^f(16|32)$/),
      features: expect.arrayContaining(['core-features-and-limits']),
      limits: { maxStorageBufferBindingSize: expect.any(Number) },
      matrices: expect.any(Array),
    });
  }
});

test('info --plan: every dispatch of every network', async () => {
  const flags = '--plan --tile 16 --adapter software --precision f32 --json'.split(' ');
  const { code, stdout } = await invsr(['info', ...flags], { cwd });
  expect(code).toBe(0);
  const { model, plans } = JSON.parse(stdout) as { model: string; plans: Record<string, string> };
  expect(model).toBe('invsr-nano');
  expect(Object.keys(plans)).toEqual([...STAGES]);
  expect(plans['encode']).toMatch(/^\d+ +vae\.encoder\.conv_in +conv2d +f32 \[1,64,64,4\]/m);
});

test.runIf(process.platform === 'linux').each(['auto', 'software', 'GeForce'])(
  'no adapter for %s: what to install is said',
  async (adapter) => {
    const env = {
      VK_DRIVER_FILES: '/nowhere', // no driver of the system
      VK_ICD_FILENAMES: '/nowhere',
      XDG_DATA_DIRS: '/nowhere', // no lavapipe
      INVSR_NO_SWIFTSHADER: '1',
    };
    const args = ['upscale', 'examples/images/still-life-lr.png', '-o', 'out/none.png'];
    const ended = await invsr([...args, '--adapter', adapter], { cwd, env });
    const sentence =
      /--adapter \w+: got (none|no Vulkan loader), needed a WebGPU adapter\. Install /;
    expectRefusal(ended, 1, sentence);
  },
);

test("a wrong adapter name is the command line's fault, a missing feature is not", () => {
  const problem = { what: 'a', needed: 'b', got: 'c', remedy: 'd' };
  expect(exitCodeOf(new AdapterNameError(problem))).toBe(2);
  expect(exitCodeOf(new DeviceError(problem))).toBe(1);
});

test('an adapter with too small limits: the limit, the tensor and a remedy are named', () => {
  const limits = { maxStorageBufferBindingSize: 2 ** 20, maxBufferSize: 2 ** 30 };
  const small = { limits } as Parameters<typeof expectWithin>[0];
  const decoder = { what: 'decoder f16 [1,512,512,64]', bytes: 2 ** 25 };
  expect(() => expectWithin(small, 'maxStorageBufferBindingSize', decoder)).toThrow(
    /^decoder f16 \[1,512,512,64\] does not fit maxStorageBufferBindingSize: got 1048576 bytes, needed 33554432 bytes\. Try a smaller tile/,
  );
});

test('the bar never runs backwards', () => {
  const meter = createMeter();
  const stages = [
    // Loading and compiling overlap.
    ...[0, 1, 2, 3].flatMap((done) => [
      meter({ stage: 'load', done, total: 3 }),
      meter({ stage: 'compile', done, total: 3 }),
    ]),
    meter({ stage: 'tiles', done: 1, total: 3 }),
    // A last batch of another size has pipelines of its own.
    meter({ stage: 'compile', done: 1, total: 3 }),
    meter({ stage: 'tiles', done: 3, total: 3 }),
    meter({ stage: 'finish', done: 1, total: 1 }),
  ];
  expect(stages).toEqual(stages.toSorted((a, b) => a - b));
  expect(stages[0]).toBe(0);
  expect(stages.at(-1)).toBe(1);
});
