/** The bench of kernels on real adapters: what it records, whatever the clock, and what goes wrong. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type BenchCase, caseOf } from '../../bench/cases.ts';
import { openClock } from '../../bench/clock.ts';
import { copyKernel } from '../../bench/copy-kernel.ts';
import { openDispatches } from '../../bench/dispatches.ts';
import { benchKernels, type KernelBenchOptions } from '../../bench/kernel-bench.ts';
import { matrixInputs, matrixKernel } from '../../bench/matrix-kernel.ts';
import type { Machine } from '../../bench/record.ts';
import { spinKernel } from '../../bench/spin-kernel.ts';
import { stepOf } from '../../bench/steps.ts';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import { byteLength, f32 as asF32, type TensorType } from '../../src/engine/kernel.ts';
import { createDevice, type NodeDevice } from '../../src/engine/node-device.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { adapterNames } from '../harness/device.ts';
import { roundF16 } from '../harness/half.ts';
import { normal } from '../harness/random.ts';
import { nmse, runKernel } from '../harness/run-kernel.ts';
import { INTEL } from '../harness/matrices.ts';
import { emulateSubgroupMatrices } from '../harness/subgroup-matrix-emulator.ts';
import { sumNmse } from './cases.ts';

const ADAPTERS = { swiftshader: 'SwiftShader', lavapipe: 'llvmpipe' } as const;

const machine: Machine = {
  date: '2026-11-21T10:00',
  commit: 'test',
  adapter: 'test',
  vendor: '',
  architecture: '',
  shaderF16: false,
  dawn: '',
  node: '',
  cpu: '',
  cores: 1,
};

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

const affineCase = (size: number): BenchCase => {
  const inputs = { a: f32(1, size, size, 4) };
  const work = { op: 'affine', inputs, constants: { alpha: 2 }, output: f32(1, size, size, 4) };
  return caseOf(work, { network: 'test', count: 3 });
};
const product = caseOf(
  {
    op: 'linear',
    inputs: { x: f32(1, 4096, 16), weight: { dtype: 'f16', shape: [16, 16] } },
    constants: {},
    output: f32(1, 4096, 16),
  },
  { network: 'test', count: 1 },
);
/** Work that every driver refuses. */
const broken: BenchCase = {
  ...affineCase(8),
  steps: undefined,
  id: 'broken',
  kernel: (target) => ({ ...affineCase(8).kernel(target), wgsl: 'fn main() { nonsense }' }),
};

const options = { machine, precision: 'f32', samples: 5, seconds: 0.1 } as const;
/** For what is not about ceilings: measuring them takes seconds. */
const ceilings = { copyGBs: 1, f32Gflops: 1 };
const quick = { ...options, ceilings } as const;

describe.each(adapterNames)('%s', (name) => {
  let made: NodeDevice;
  let context: EngineContext;
  beforeAll(async () => {
    made = await createDevice({ adapter: ADAPTERS[name] });
    context = createContext(made.device);
  });
  afterAll(() => {
    context?.dispose();
    made?.device.destroy();
  });
  const bench = (cases: readonly BenchCase[], more: Partial<KernelBenchOptions> = {}) =>
    benchKernels(context, cases, { ...options, ...more });

  test('a record holds times, rates and shares of measured ceilings; what fails is skipped', async () => {
    // 2 · 4096 · 16 · 16 flops: more than this limit, so the product is cut.
    const record = await bench([affineCase(8), broken, product], { maxFlops: 1e6 });
    expect(record.incomplete).toBeUndefined();
    expect(record.skipped.map(({ id }) => id)).toEqual(['broken']);
    expect(record.skipped[0]?.why).toMatch(/does not compile/);
    expect(record.clock).toEqual({ kind: 'timestamps', quantumNanoseconds: 0 });
    expect(record.ceilings.copyGBs).toBeGreaterThan(0);
    expect(record.ceilings.f32Gflops).toBeGreaterThan(0);
    expect('f16Gflops' in record.ceilings).toBe(context.target.shaderF16);
    expect(record.rows).toHaveLength(2);
    for (const row of record.rows) {
      const { median, p10, p90, runs } = row.milliseconds;
      expect(p10).toBeGreaterThan(0);
      expect(p90).toBeGreaterThanOrEqual(p10);
      expect(runs).toBeGreaterThanOrEqual(5);
      expect(row.gflops).toBeCloseTo(row.flops / median / 1e6, 6);
      expect(row.gbytes).toBeCloseTo(row.bytes / median / 1e6, 6);
      const compute = row.flops / record.ceilings.f32Gflops;
      const memory = row.bytes / record.ceilings.copyGBs;
      expect(row.bound).toBe(compute > memory ? 'compute' : 'memory');
      expect(row.ofCeiling).toBeCloseTo(Math.max(compute, memory) / 1e6 / median, 6);
    }
    expect(record.rows[1]?.cut).toBe('rows 1920 of 4096');
    expect(record.rows[1]?.flops).toBe(2 * 1920 * 16 * 16);
  });

  test('a peer that fails leaves our row, with the reason', async () => {
    const beside = (): Promise<never> => Promise.reject(new Error('it ended'));
    const { rows, skipped } = await bench([affineCase(8)], { ceilings, beside });
    expect(skipped).toEqual([]);
    expect(rows[0]?.noPeer).toBe('it ended');
    expect(rows[0]?.milliseconds.median).toBeGreaterThan(0);
  });

  test('buffers are freed, and inputs rotate over copies that exceed a cache', async () => {
    const before = context.memory.bytes;
    const x = f32(16, 256, 4);
    const steps = [stepOf(copyKernel(x, 1))];
    const sizes = { inputs: { x }, cacheBytes: 300_000 };
    const work = await openDispatches(context, steps, sizes);
    expect(work.copies).toBe(3); // of 128 KiB, in and out
    work.dispose();
    const bounded = await openDispatches(context, steps, { ...sizes, maxBytes: 270_000 });
    expect(bounded.copies).toBe(2);
    bounded.dispose();
    expect(context.memory.bytes).toBe(before);
  });

  test('an algorithm of several kernels is timed as one, at the cost of the whole', async () => {
    const target = { ...context.target, family: 'alu' } as const;
    const one = caseOf(
      {
        op: 'linear',
        inputs: { x: f32(1, 8, 4096), weight: { dtype: 'f16', shape: [4096, 64] } },
        constants: {},
        output: f32(1, 8, 64),
      },
      { network: 'test', count: 1 },
    );
    const [partial, reduce] = one.steps?.(target) ?? [];
    expect(partial?.kernel.name).toBe('gemmPartial');
    expect(reduce?.inputs['partial']).toBe(partial?.output);
    expect(reduce?.output).toBe('output');
    const { rows, skipped } = await benchKernels({ ...context, target }, [one], quick);
    expect(skipped).toEqual([]);
    expect(rows[0]?.design).toMatch(/^split\d+$/);
    expect(rows[0]?.flops).toBe(2 * 8 * 4096 * 64);
  });

  test("a product's second output is bound too", async () => {
    const target = { ...context.target, family: 'alu' } as const;
    const one = caseOf(
      {
        op: 'linear',
        inputs: { x: f32(1, 64, 16), weight: { dtype: 'f16', shape: [16, 16] } },
        constants: { momentChannels: 4 },
        output: f32(1, 64, 16),
      },
      { network: 'test', count: 1 },
    );
    expect(one.kernel(target).moments).toBeDefined();
    const { rows, skipped } = await benchKernels({ ...context, target }, [one], quick);
    expect(skipped).toEqual([]);
    expect(rows).toHaveLength(1);
  });

  test('what a plan prepares once is done before, and not again', async () => {
    const x = f32(16, 256, 4);
    const step = stepOf(copyKernel(x, 1));
    const steps = [
      { ...step, output: 'between', isPrepared: true },
      { ...step, inputs: { x: 'between' } },
    ];
    const create = vi.spyOn(context.allocator, 'create');
    const work = await openDispatches(context, steps, { inputs: { x }, cacheBytes: 0 });
    const buffers: readonly GPUBuffer[] = (
      await Promise.all(create.mock.results.map(({ value }) => value))
    ).flat();
    create.mockRestore();
    const read = async (name: string) => {
      const buffer = buffers.find(({ label }) => label === `invsr/bench ${name}`);
      return new Float32Array(await readBuffer(made.device, buffer!, byteLength(x)));
    };
    const encoder = made.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const dispatch = vi.spyOn(pass, 'dispatchWorkgroups');
    work.encode(pass, 3);
    expect(dispatch).toHaveBeenCalledTimes(3);
    pass.end();
    made.device.queue.submit([encoder.finish()]);
    expect(await read('output')).toEqual(await read('x'));
    work.dispose();
  });

  test('an aborted run keeps what it has', async () => {
    const controller = new AbortController();
    const record = await bench([affineCase(8), affineCase(12), affineCase(16)], {
      ceilings,
      signal: controller.signal,
      onRow: (_, { index }) => index === 1 && controller.abort(),
    });
    expect(record.rows).toHaveLength(2);
    expect(record.incomplete).toBe('interrupted; 2 of 3 kernels were measured');
  });

  test('multiply-adds are all done: the ceiling is no smaller work than it says', async () => {
    const dtypes = context.target.shaderF16 ? (['f32', 'f16'] as const) : (['f32'] as const);
    const [chains, rounds, factor, term] = [3, 5, 0.75, 1];
    for (const dtype of dtypes) {
      const kernel = spinKernel(context.target, { dtype, chains, rounds });
      // Values that differ much from round to round, unlike those that no sum grows with.
      const params = { ...kernel.params, factor: asF32(factor), term: asF32(term) };
      const actual = await runKernel(made.device, { ...kernel, params }, {});
      const expected = Float32Array.from(actual, (_, i) => {
        let sum = 0;
        for (let chain = 0; chain < chains; chain++) {
          for (const start of [(i % 7) + chain, i % 7, term, factor]) {
            let value = start;
            for (let round = 0; round < rounds; round++) value = value * factor + term;
            sum += value;
          }
        }
        return sum;
      });
      // Five roundings and a sum of twelve: 17 · 2^-11 at most in f16, squared.
      const limit = dtype === 'f16' ? (17 * 2 ** -11) ** 2 : (17 * 2 ** -24) ** 2;
      expect(nmse(actual, expected), dtype).toBeLessThan(limit);
      expect(kernel.cost.flops).toBe(2 * 4 * chains * rounds * actual.length);
    }
  });

  test('products of matrices are all done, by an emulation of the units', async () => {
    const [rounds, workgroups] = [5, 2];
    const kernel = matrixKernel(INTEL, { workgroups, rounds });
    const { a, b } = matrixInputs(INTEL);
    const left = roundF16(normal(8 * 16, 1));
    const right = roundF16(normal(16 * 16, 2));
    const emulated = { ...kernel, wgsl: emulateSubgroupMatrices(kernel.wgsl) };
    const actual = await runKernel(made.device, emulated, {
      a: { type: a, data: left },
      b: { type: b, data: right },
    });
    const expected = Float32Array.from(actual, (_, i) => {
      const [row, column] = [Math.floor(i / 16) % 8, i % 16];
      let sum = 0;
      for (let k = 0; k < 16; k++) sum += left[row * 16 + k]! * right[k * 16 + column]!;
      return rounds * sum;
    });
    expect(nmse(actual, expected)).toBeLessThan(sumNmse(16 * rounds));
    expect(kernel.cost.flops).toBe((actual.length / (8 * 16)) * rounds * 2 * 8 * 16 * 16);
  });

  test('a rounded clock is found out, and times batches', async () => {
    const coarse = await createDevice({
      adapter: ADAPTERS[name],
      toggles: { enable: ['timestamp_quantization'] },
    });
    const context = createContext(coarse.device);
    const clock = await openClock(context);
    expect(clock.kind).toBe('timestamp-batches');
    expect([65_536, 100_000]).toContain(clock.quantumNanoseconds);
    expect(clock.why).toMatch(/rounds timestamps/);
    const record = await benchKernels(context, [affineCase(8)], quick);
    expect(record.clock.kind).toBe('timestamp-batches');
    expect(record.rows[0]?.milliseconds.median).toBeGreaterThan(0);
    context.dispose();
    coarse.device.destroy();
  });

  test('without timestamps the host times batches, and the record says so', async () => {
    const features = context.capabilities.features.filter((one) => one !== 'timestamp-query');
    const without = { ...context, capabilities: { ...context.capabilities, features } };
    const { why } = await openClock(without);
    expect(why).toMatch(/^the device has no timestamps: batches are timed by the host's clock/);
    const record = await benchKernels(without, [affineCase(8)], quick);
    expect(record.clock.kind).toBe('wall-batches');
    expect(record.clock.quantumNanoseconds).toBeGreaterThan(0);
    expect(record.rows[0]?.milliseconds.median).toBeGreaterThan(0);
  });

  test('a lost device ends the run, and what was measured stays', async () => {
    const lost = await createDevice({ adapter: ADAPTERS[name] });
    const context = createContext(lost.device);
    const record = await benchKernels(context, [affineCase(8), affineCase(12)], {
      ...quick,
      onRow: () => lost.device.destroy(),
    });
    expect(record.rows).toHaveLength(1);
    expect(record.incomplete).toMatch(/^the device was lost .*; 1 of 2 kernels were measured$/);
    expect(record.skipped).toEqual([]);
  });
});
