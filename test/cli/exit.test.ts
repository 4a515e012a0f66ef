/**
 * Processes that use a device end by themselves with code 0: no hang, no crash of Dawn's finalizers.
 * Such crashes depend on when garbage is collected: INVSR_TEST_REPEATS=50 looks closer.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adapterNames } from '../harness/device.ts';
import { invsr } from './invsr.ts';

const run = promisify(execFile);
const { INVSR_TEST_REPEATS } = process.env;
const REPEATS = Number(INVSR_TEST_REPEATS ?? 3);
/** Every test of the command line looks at its code. */
const CLI_REPEATS = Number(INVSR_TEST_REPEATS ?? 1);
const ADAPTER = { swiftshader: 'SwiftShader', lavapipe: 'llvmpipe' } as const;

/** Uses every kind of object, collects garbage on the way, then ends as `ending` says. */
const PROGRAM = `
import { createDevice } from './node-device.js';
const [adapter, ending] = process.argv.slice(2);
const { device } = await createDevice({ adapter });
globalThis.gc();
const code = \`@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { x[id.x] += 1.0; }\`;
const module = device.createShaderModule({ code });
const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
const buffer = device.createBuffer({ size: 4096, usage });
const staging = device.createBuffer({ size: 4096, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
const group = device.createBindGroup({
  layout: pipeline.getBindGroupLayout(0),
  entries: [{ binding: 0, resource: { buffer } }],
});
for (let i = 0; i < 3; i++) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(16);
  pass.end();
  if (i === 2) encoder.copyBufferToBuffer(buffer, 0, staging, 0, 4096);
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  globalThis.gc();
}
await staging.mapAsync(GPUMapMode.READ);
console.log(new Float32Array(staging.getMappedRange())[1023]);
if (ending === 'throw') throw new Error('on purpose');
if (ending !== 'forget') device.destroy();
if (ending === 'busy') void device.queue.onSubmittedWorkDone();
`;

let folder: string;
beforeAll(async () => {
  // Where the bundle finds its packages, and git does not look if we are killed.
  folder = mkdtempSync(join(import.meta.dirname, '../../node_modules/.exit-'));
  await build({
    entryPoints: [join(import.meta.dirname, '../../src/engine/node-device.ts')],
    outfile: join(folder, 'node-device.js'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
  });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'program.js'), PROGRAM);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (...args: string[]) =>
  run(process.execPath, ['--expose-gc', join(folder, 'program.js'), ...args], { timeout: 30_000 });

for (const name of adapterNames) {
  test.each(['destroy', 'busy', 'forget'])(`${name}: exits with 0 after %s`, async (ending) => {
    for (let i = 0; i < REPEATS; i++) {
      const { stdout } = await start(ADAPTER[name], ending);
      expect(stdout.trim()).toBe('3');
    }
  });

  test(`${name}: an exception ends the process with 1`, async () => {
    await expect(start(ADAPTER[name], 'throw')).rejects.toMatchObject({ code: 1, signal: null });
  });

  test(`${name}: the command line ends with 0`, async () => {
    const size = { width: 20, height: 12, channels: 3, background: '#654' } as const;
    await sharp({ create: size }).png().toFile(join(folder, 'in.png'));
    const args = ['upscale', 'in.png', '-o', 'out.png', '--tile', '16'];
    for (let i = 0; i < CLI_REPEATS; i++) {
      const upscaled = await invsr([...args, '--adapter', ADAPTER[name]], { cwd: folder });
      expect(upscaled, upscaled.stderr).toMatchObject({ code: 0, signal: null });
    }
  });
}

test('info ends with 0', async () => {
  for (let i = 0; i < CLI_REPEATS; i++) {
    const info = await invsr(['info', '--json'], { cwd: folder });
    expect(info, info.stderr).toMatchObject({ code: 0, signal: null });
  }
});
