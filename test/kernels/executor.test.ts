/** The executor end to end on hand-written plans, on every adapter at hand. */
import { describe, expect, test, vi } from 'vitest';
import { createContext } from '../../src/engine/context.ts';
import { byteLength } from '../../src/engine/kernel.ts';
import { dispatchesOf, totalFlops } from '../../src/engine/plan.ts';
import { createProfiler } from '../../src/engine/profiler.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import {
  asBytes,
  IMAGE,
  LARGE,
  RESULT,
  SMALL,
  useDevice,
  WEIGHT,
  largeExternals,
} from '../harness/on-device.ts';
import { openExecutor, longPlan, smallPlan } from '../harness/plans.ts';
import { uploadWeight } from '../harness/upload-weight.ts';

/** `toEqual` takes a minute on millions of elements. */
function expectSame(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  expect(actual.findIndex((v, i) => v !== expected[i])).toBe(-1);
}

describe.each(adapterNames)('%s', (name) => {
  const on = useDevice(name);

  test('runs prepare once, then the dispatches for each set of externals', async () => {
    const { buffer, read, context, device, target } = on();
    const plan = smallPlan(SMALL, target);
    const executor = await openExecutor(context, plan);
    expect(await read(executor.bufferOf(plan.named['folded']!.location), SMALL)).toEqual(
      WEIGHT.map((v) => 2 * v),
    );
    const first = { image: buffer(SMALL, IMAGE), result: buffer(SMALL) };
    await executor.run({ externals: first });
    expect(await read(first.result, SMALL)).toEqual(RESULT);
    // the same buffers with other content, then other buffers
    device.queue.writeBuffer(first.image, 0, new Float32Array(256));
    await executor.run({ externals: first });
    expect(await read(first.result, SMALL)).toEqual(WEIGHT.map((v) => 6 * v));
    const second = { image: buffer(SMALL, IMAGE), result: buffer(SMALL) };
    await executor.run({ externals: second });
    expect(await read(second.result, SMALL)).toEqual(RESULT);
    executor.dispose();
  });

  test('plans that run one after another share slots, but not those of prepare', async () => {
    const { buffer, read, context, target } = on();
    const before = context.memory.bytes;
    const one = await openExecutor(context, smallPlan(SMALL, target));
    const afterOne = context.memory.bytes;
    const two = await openExecutor(context, smallPlan(SMALL, target));
    const params = 3 * 256 + 32; // four structs of 32 bytes, each at a multiple of 256
    expect(afterOne - before).toBe(3 * byteLength(SMALL) + params);
    expect(context.memory.bytes - afterOne).toBe(byteLength(SMALL) + params);
    const results = [buffer(SMALL), buffer(SMALL)] as const;
    const input = buffer(SMALL, IMAGE);
    await Promise.all([
      one.run({ externals: { image: input, result: results[0] } }),
      two.run({ externals: { image: input, result: results[1] } }),
    ]);
    expect(await read(results[0], SMALL)).toEqual(RESULT);
    expect(await read(results[1], SMALL)).toEqual(RESULT);
    one.dispose();
    await two.run({ externals: { image: input, result: results[0] } });
    two.dispose();
    expect(context.memory.bytes).toBe(before);
    expect(context.memory.peakBytes).toBeGreaterThan(before);
  });

  test('progress never goes back and ends at its total', async () => {
    const { buffer, context, target } = on();
    const plan = smallPlan(SMALL, target);
    const compiled: number[][] = [];
    const onProgress = (...of: number[]): number => compiled.push(of);
    await context.pipelines.compile(dispatchesOf(plan), { onProgress });
    expect(compiled.at(-1)).toEqual([2, 2]); // one affine with b, one without
    const executor = await openExecutor(context, plan);
    const seen: number[] = [];
    let end = 0;
    await executor.run({
      externals: { image: buffer(SMALL, IMAGE), result: buffer(SMALL) },
      budgetMs: 0, // one dispatch per submit
      onProgress: ({ done, total }) => {
        seen.push(done);
        end = total;
      },
    });
    expect(seen).toHaveLength(3);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(end);
    executor.dispose();
  });

  test('an abort takes effect mid-run and leaves the executor usable', async () => {
    const { buffer, read, context, target } = on();
    const count = 60;
    const executor = await openExecutor(context, longPlan(LARGE, count, target));
    const externals = { image: buffer(LARGE, new Float32Array(2 ** 20)), result: buffer(LARGE) };
    const abort = new AbortController();
    let submits = 0;
    const run = executor.run({
      externals,
      budgetMs: 0,
      signal: abort.signal,
      onProgress: () => {
        submits++;
        if (submits === 3) abort.abort(new Error('enough'));
      },
    });
    await expect(run).rejects.toThrow('enough');
    expect(submits).toBe(3);
    expectSame(await read(externals.result, LARGE), new Float32Array(2 ** 20));
    await executor.run({ externals });
    expectSame(await read(externals.result, LARGE), new Float32Array(2 ** 20).fill(count));
    const disposedMidRun = executor.run({ externals, budgetMs: 0 });
    await Promise.resolve();
    executor.dispose();
    await expect(disposedMidRun).rejects.toThrow('disposed');
  });

  test('one submit at a time: an abort at any moment leaves one under way, and nothing follows', async () => {
    const { buffer, context, device, target } = on();
    const { queue } = device;
    const executor = await openExecutor(context, longPlan(LARGE, 60, target));
    const externals = { image: buffer(LARGE), result: buffer(LARGE) };
    const abort = new AbortController();
    let [sent, underWay, most, reports, atAbort] = [0, 0, 0, 0, 0];
    const original = queue.submit.bind(queue);
    const submit = vi.spyOn(queue, 'submit').mockImplementation((commands) => {
      original(commands);
      sent++;
      most = Math.max(most, ++underWay);
      void queue.onSubmittedWorkDone().then(() => underWay--);
    });
    const run = executor.run({
      externals,
      budgetMs: 0,
      signal: abort.signal,
      onProgress: () => {
        if (++reports !== 3) return;
        setImmediate(() => {
          atAbort = sent;
          abort.abort(new Error('enough'));
        });
      },
    });
    await expect(run).rejects.toThrow('enough');
    await queue.onSubmittedWorkDone();
    submit.mockRestore();
    executor.dispose();
    expect(most).toBe(1);
    expect(atAbort).toBeGreaterThan(3);
    expect(sent).toBe(atAbort);
  });

  test('weights go up in chunks, ragged ends included, and are kept once', async () => {
    const { context, device, target } = on();
    const writes = vi.spyOn(device.queue, 'writeBuffer');
    const count = 9 * 2 ** 20 + 1; // 36 MiB and a word
    const big = {
      key: 'test/big',
      layout: 'vector',
      type: { dtype: 'f32', shape: [count] },
    } as const;
    const data = Float32Array.from({ length: count }, (_, i) => i % 1021);
    const before = context.weights.totalBytes;
    await uploadWeight(context.weights, big, asBytes(data));
    expect(writes).toHaveBeenCalledTimes(10);
    const odd = { key: 'test/odd', layout: 'vector', type: { dtype: 'f16', shape: [3] } } as const;
    await uploadWeight(context.weights, odd, Uint8Array.of(1, 2, 3, 4, 5, 6));
    await uploadWeight(context.weights, odd, Uint8Array.of(9, 9, 9, 9, 9, 9));
    expect(writes).toHaveBeenCalledTimes(11);
    writes.mockRestore();
    expect(context.weights.totalBytes - before).toBe(4 * count + 16);
    const back = await readBuffer(device, context.weights.at(big), 4 * count);
    expectSame(new Float32Array(back), data);
    const tail = await readBuffer(device, context.weights.at(odd), 6);
    expect([...new Uint8Array(tail)]).toEqual([1, 2, 3, 4, 5, 6]);
    const [missing] = smallPlan(LARGE, target).weights;
    expect(() => context.weights.at({ ...missing!, key: 'test/nowhere' })).toThrow(
      'weight test/nowhere vector f32 is not uploaded',
    );
  });

  test('the profiler times every dispatch', async () => {
    const { buffer, context, device, target } = on();
    const plan = longPlan(LARGE, 4, target);
    const executor = await openExecutor(context, plan);
    const profiler = createProfiler(device);
    await executor.run({
      externals: { image: buffer(LARGE), result: buffer(LARGE) },
      profiler,
    });
    const timings = await profiler.read();
    expect(timings.map(({ path }) => path)).toEqual(plan.dispatches.map(({ path }) => path));
    expect(timings.reduce((sum, { flops }) => sum + flops, 0)).toBe(totalFlops(plan.dispatches));
    for (const { nanoseconds } of timings) expect(nanoseconds).toBeGreaterThan(0);
    // One after another from 0 on: each reads what the one before wrote.
    let free = 0;
    for (const { begin, nanoseconds } of timings) {
      expect(begin).toBeGreaterThanOrEqual(free);
      free = begin + nanoseconds;
    }
    expect(timings[0]?.begin).toBe(0);
    const submits = timings.map(({ submit }) => submit);
    expect(submits[0]).toBe(0);
    expect(submits).toEqual(submits.toSorted((a, b) => a - b));
    expect(await profiler.read()).toEqual([]);
    profiler.dispose();
    executor.dispose();
  });

  test('the profiler tells of what went to the queue before an abort, and of the run after it', async () => {
    const { buffer, context, device, target } = on();
    const plan = longPlan(LARGE, 6, target);
    const executor = await openExecutor(context, plan);
    const profiler = createProfiler(device);
    const externals = { image: buffer(LARGE), result: buffer(LARGE) };
    const abort = new AbortController();
    const options = { externals, profiler, budgetMs: 0 };
    let reports = 0;
    const onProgress = (): void => {
      if (++reports === 2) abort.abort(new Error('enough'));
    };
    // The third one was encoded while the device was at the second.
    const run = executor.run({ ...options, signal: abort.signal, onProgress });
    await expect(run).rejects.toThrow('enough');
    await executor.run(options);
    const timings = await profiler.read();
    const paths = plan.dispatches.map(({ path }) => path);
    expect(timings.map(({ path }) => path)).toEqual([...paths.slice(0, 2), ...paths]);
    expect(timings.map(({ submit }) => submit)).toEqual([...timings.keys()]);
    for (const { nanoseconds } of timings) expect(nanoseconds).toBeGreaterThan(0);
    profiler.dispose();
    executor.dispose();
  });
});

test.skipIf(adapterNames.length === 0)('waiting for a software adapter does not spin', async () => {
  const { device, target } = await openTestDevice(adapterNames[0]!);
  const context = createContext(device);
  const executor = await openExecutor(context, longPlan(LARGE, 30, target));
  const externals = largeExternals(device);
  let turns = 0;
  let isRunning = true;
  const count = (): void => {
    turns++;
    if (isRunning) setImmediate(count);
  };
  setImmediate(count);
  const start = performance.now();
  await executor.run({ externals });
  isRunning = false;
  // One turn sleeps a millisecond, spinning makes hundreds of turns in that time. The few dozen
  // besides are the turns between submits.
  expect(turns).toBeLessThan(performance.now() - start + 50);
  device.destroy();
});
