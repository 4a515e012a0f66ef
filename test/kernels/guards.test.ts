/** That run-kernel.ts notices a kernel which leaves its buffers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { i32, type Kernel, paramsWgsl, type TensorType } from '../../src/engine/kernel.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { runKernel } from '../harness/run-kernel.ts';

const type: TensorType = { dtype: 'f32', shape: [4] };
const data = new Float32Array([1, 2, 3, 4]);

/** y[i + to] = x[i + from] */
function copy({ from = 0, to = 0 }: { readonly from?: number; readonly to?: number }): Kernel {
  const params = { from_offset: i32(from), to_offset: i32(to) };
  return {
    name: 'copy',
    variant: '',
    bindings: { x: 1 },
    params,
    output: { binding: 2, type },
    workgroups: [4, 1, 1],
    cost: { flops: 0, bytes: 32 },
    wgsl: `${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3u) {
  let i = i32(workgroup.x);
  y[i + params.to_offset] = x[i + params.from_offset];
}`,
  };
}

describe.each(adapterNames)('%s', (name) => {
  let device: TestDevice;
  beforeAll(async () => {
    device = await openTestDevice(name);
  });
  afterAll(() => device?.device.destroy());

  const run = (kernel: Kernel) => runKernel(device.device, kernel, { x: { type, data } });

  test('a kernel inside its buffers passes', async () => {
    expect([...(await run(copy({})))]).toEqual([1, 2, 3, 4]);
  });

  test('a read past the end of an input gives NaN', async () => {
    expect([...(await run(copy({ from: 1 })))]).toEqual([2, 3, 4, Number.NaN]);
  });

  // lavapipe checks the bounds of bindings itself; see run-kernel.ts
  if (name === 'swiftshader')
    test('a read before the start of an input gives NaN', async () => {
      expect([...(await run(copy({ from: -1 })))]).toEqual([Number.NaN, 1, 2, 3]);
    });

  test('a write past the end of the output throws', async () => {
    await expect(run(copy({ to: 1 }))).rejects.toThrow('wrote outside its output');
  });

  if (name === 'swiftshader')
    test('a write before the start of the output throws', async () => {
      await expect(run(copy({ to: -1 }))).rejects.toThrow('wrote outside its output');
    });
});
