/** Properties that a kernel and its reference could not both break by the same mistake. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TensorType } from '../../src/engine/kernel.ts';
import { attention } from '../../src/kernels/attention.ts';
import { layerNorm } from '../../src/kernels/layer-norm.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { normal } from '../harness/random.ts';
import { type HostData, nmse, runKernel } from '../harness/run-kernel.ts';

const FAMILIES = ['cpu', 'alu'] as const;

describe.each(adapterNames)('%s', (name) => {
  let opened: TestDevice;
  beforeAll(async () => {
    opened = await openTestDevice(name);
  });
  afterAll(() => opened?.device.destroy());

  test.each(FAMILIES)('%s: attention does not depend on the order of the keys', async (family) => {
    const [keys, channels] = [77, 32];
    const kv: TensorType = { dtype: 'f32', shape: [1, keys, channels] };
    const q: TensorType = { dtype: 'f32', shape: [1, 19, channels] };
    const kernel = attention({ q, k: kv, v: kv }, { heads: 2 }, { ...opened.target, family });
    // 30 is coprime to 77: a permutation without fixed points but the first key
    const permute = (data: Float32Array) =>
      data.map((_, i) => {
        const key = Math.floor(i / channels);
        return data[((key * 30) % keys) * channels + (i % channels)]!;
      });
    const [queries, k, v] = [
      normal(19 * channels, 1),
      normal(keys * channels, 2),
      normal(keys * channels, 3),
    ];
    const run = (kData: Float32Array, vData: Float32Array) =>
      runKernel(opened.device, kernel, {
        q: { type: q, data: queries },
        k: { type: kv, data: kData },
        v: { type: kv, data: vData },
      });
    // Only the order of f32 sums differs: twice the kernel's own error (2e-13), with room.
    expect(nmse(await run(permute(k), permute(v)), await run(k, v))).toBeLessThan(1e-12);
  });

  test.each(FAMILIES)('%s: causal attention does not know later keys', async (family) => {
    const [length, channels, known] = [77, 32, 41];
    const type: TensorType = { dtype: 'f32', shape: [1, length, channels] };
    const constants = { heads: 2, causal: true };
    const kernel = attention({ q: type, k: type, v: type }, constants, {
      ...opened.target,
      family,
    });
    const [q, k, v] = [1, 2, 3].map((seed) => normal(length * channels, seed));
    const changed = (data: Float32Array) =>
      data.map((x, i) => (i < known * channels ? x : 50 - 3 * x));
    const run = (kData: Float32Array, vData: Float32Array) =>
      runKernel(opened.device, kernel, {
        q: { type, data: q! },
        k: { type, data: kData },
        v: { type, data: vData },
      });
    const before = await run(k!, v!);
    const after = await run(changed(k!), changed(v!));
    // A masked key's share is exactly zero: the same bits.
    expect(after.subarray(0, known * channels)).toEqual(before.subarray(0, known * channels));
    expect(after.subarray(known * channels)).not.toEqual(before.subarray(known * channels));
  });

  test.each(FAMILIES)('%s: layerNorm ignores a constant added to x', async (family) => {
    const [rows, channels] = [9, 80];
    const x: TensorType = { dtype: 'f32', shape: [rows, channels] };
    const vector: TensorType = { dtype: 'f32', shape: [channels] };
    const target = { ...opened.target, family };
    // Multiples of 1/256: adding 512 is exact in f32, so only the kernels can make a difference.
    const values = normal(rows * channels, 4).map((v) => Math.round(v * 256) / 256);
    const shifted = values.map((v) => v + 512);
    const ones = { type: vector, data: new Float32Array(channels).fill(1) };
    const norm = (data: HostData) =>
      runKernel(
        opened.device,
        layerNorm({ x, gamma: vector, beta: vector }, { eps: 1e-5 }, target),
        { x: { type: x, data }, gamma: ones, beta: ones },
      );
    // Rounding of the result (2^-24)² and of the mean's correction, which is of order 2^-24 too.
    expect(nmse(await norm(shifted), await norm(values))).toBeLessThan(1e-13);
  });
});
