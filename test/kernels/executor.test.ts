/** The executor end to end on hand-written plans, on every adapter at hand. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import { CompileError, DeviceError } from '../../src/engine/errors.ts';
import { createExecutor } from '../../src/engine/executor.ts';
import { byteLength, type TensorType } from '../../src/engine/kernel.ts';
import { totalFlops } from '../../src/engine/plan.ts';
import { createProfiler } from '../../src/engine/profiler.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { affineDispatch, external, longPlan, smallPlan } from '../harness/plans.ts';
import { uploadWeight } from '../harness/upload-weight.ts';

const TYPE: TensorType = { dtype: 'f32', shape: [1, 8, 8, 4] };
const LARGE: TensorType = { dtype: 'f32', shape: [1, 512, 512, 4] };

const asBytes = (data: Float32Array): Uint8Array => new Uint8Array(data.buffer);

/** `toEqual` takes a minute on millions of elements. */
function expectSame(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  expect(actual.findIndex((v, i) => v !== expected[i])).toBe(-1);
}

describe.each(adapterNames)('%s', (name) => {
  let opened: TestDevice;
  let context: EngineContext;
  const uncaptured = vi.fn();
  const buffers: GPUBuffer[] = [];
  beforeAll(async () => {
    opened = await openTestDevice(name);
    opened.device.addEventListener('uncapturederror', uncaptured);
    context = createContext(opened.device);
    await uploadWeight(context.weights, smallPlan(TYPE, opened.target).weights[0]!, asBytes(w));
  });
  afterAll(() => {
    for (const buffer of buffers) buffer.destroy();
    context.dispose();
    expect(context.memory.bytes, 'bytes still allocated').toBe(0);
    // Nothing we do may end in the owner's error handler.
    expect(uncaptured).not.toHaveBeenCalled();
    opened.device.destroy();
  });

  const w = Float32Array.from({ length: 256 }, (_, i) => i / 8);
  const image = Float32Array.from({ length: 256 }, (_, i) => 100 - i);
  const expected = image.map((v, i) => 2 * v + 6 * w[i]!);

  function buffer(type: TensorType, data?: Float32Array): GPUBuffer {
    const made = opened.device.createBuffer({
      size: byteLength(type),
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
    if (data) opened.device.queue.writeBuffer(made, 0, data as Float32Array<ArrayBuffer>);
    buffers.push(made);
    return made;
  }
  const read = async (from: GPUBuffer, type: TensorType) =>
    new Float32Array(await readBuffer(opened.device, from, byteLength(type)));

  test('runs prepare once, then the dispatches for each set of externals', async () => {
    const plan = smallPlan(TYPE, opened.target);
    const executor = await createExecutor(context, plan);
    expect(await read(executor.bufferOf('folded'), TYPE)).toEqual(w.map((v) => 2 * v));
    const first = { image: buffer(TYPE, image), result: buffer(TYPE) };
    await executor.run({ externals: first });
    expect(await read(first.result, TYPE)).toEqual(expected);
    // the same buffers with other content, then other buffers
    opened.device.queue.writeBuffer(first.image, 0, new Float32Array(256));
    await executor.run({ externals: first });
    expect(await read(first.result, TYPE)).toEqual(w.map((v) => 6 * v));
    const second = { image: buffer(TYPE, image), result: buffer(TYPE) };
    await executor.run({ externals: second });
    expect(await read(second.result, TYPE)).toEqual(expected);
    executor.dispose();
  });

  test('plans that run one after another share slots, but not those of prepare', async () => {
    const before = context.memory.bytes;
    const one = await createExecutor(context, smallPlan(TYPE, opened.target));
    const afterOne = context.memory.bytes;
    const two = await createExecutor(context, smallPlan(TYPE, opened.target));
    const params = 3 * 256 + 32; // four structs of 32 bytes, each at a multiple of 256
    expect(afterOne - before).toBe(3 * byteLength(TYPE) + params);
    expect(context.memory.bytes - afterOne).toBe(byteLength(TYPE) + params);
    const results = [buffer(TYPE), buffer(TYPE)] as const;
    const input = buffer(TYPE, image);
    await Promise.all([
      one.run({ externals: { image: input, result: results[0] } }),
      two.run({ externals: { image: input, result: results[1] } }),
    ]);
    expect(await read(results[0], TYPE)).toEqual(expected);
    expect(await read(results[1], TYPE)).toEqual(expected);
    one.dispose();
    await two.run({ externals: { image: input, result: results[0] } });
    two.dispose();
    expect(context.memory.bytes).toBe(before);
    expect(context.memory.peakBytes).toBeGreaterThan(before);
  });

  test('progress never goes back and ends at its total', async () => {
    const compiled: number[][] = [];
    const executor = await createExecutor(context, smallPlan(TYPE, opened.target), {
      onProgress: ({ phase, done, total }) => phase === 'compile' && compiled.push([done, total]),
    });
    expect(compiled.at(-1)).toEqual([2, 2]); // one affine with b, one without
    const seen: number[] = [];
    let end = 0;
    await executor.run({
      externals: { image: buffer(TYPE, image), result: buffer(TYPE) },
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
    const count = 60;
    const executor = await createExecutor(context, longPlan(LARGE, count, opened.target));
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
    const { queue } = opened.device;
    const executor = await createExecutor(context, longPlan(LARGE, 60, opened.target));
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

  test('WGSL that does not compile is reported with layer, kernel, message and lines', async () => {
    const plan = smallPlan(TYPE, opened.target);
    const [first, ...rest] = plan.dispatches;
    const wgsl = first!.kernel.wgsl.replace('var v =', 'var v = nonsense +');
    const line = wgsl.split('\n').findIndex((text) => text.includes('nonsense')) + 1;
    const bad = { ...first!, kernel: { ...first!.kernel, wgsl } };
    const error = await createExecutor(context, { ...plan, dispatches: [bad, ...rest] }).catch(
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(CompileError);
    const lines = (error as Error).message.split('\n');
    expect(lines[0]).toMatch(/^net\.add: affine f32 .*unresolved value 'nonsense'/);
    expect(lines).toHaveLength(4);
    expect(lines[2]).toMatch(new RegExp(`^> +${line} \\|   var v = nonsense`));
  });

  test('a pipeline that the device refuses is reported too', async () => {
    const plan = smallPlan(TYPE, opened.target);
    const [first, ...rest] = plan.dispatches;
    const wgsl = first!.kernel.wgsl.replace('@workgroup_size(64)', '@workgroup_size(4096)');
    const bad = { ...first!, kernel: { ...first!.kernel, wgsl } };
    await expect(createExecutor(context, { ...plan, dispatches: [bad, ...rest] })).rejects.toThrow(
      /^net\.add: affine f32 .* does not compile: .*4096/s,
    );
  });

  test('a dispatch that WebGPU rejects is an error of the run, not of the owner', async () => {
    const plan = smallPlan(TYPE, opened.target);
    const same = affineDispatch(
      'net.alias',
      TYPE,
      [external('image'), undefined, external('image')],
      { alpha: 1 },
      opened.target,
    );
    const executor = await createExecutor(context, { ...plan, dispatches: [same] });
    await expect(executor.run({ externals: { image: buffer(TYPE, image) } })).rejects.toThrow(
      /^net\.alias: /,
    );
    executor.dispose();
  });

  test('what does not fit is a DeviceError that names the layer', async () => {
    const limit = opened.capabilities.limits.maxStorageBufferBindingSize;
    const type: TensorType = { dtype: 'f32', shape: [1, limit / 16 + 1, 1, 4] };
    const inside: TensorType = { dtype: 'f32', shape: [4] };
    const plan = longPlan(type, 0, opened.target);
    const before = context.memory.bytes;
    const error = await createExecutor(context, {
      ...plan,
      externals: { image: inside, result: inside },
    }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DeviceError);
    expect((error as Error).message).toBe(
      `in f32 [1,${limit / 16 + 1},1,4] does not fit maxStorageBufferBindingSize: got ${limit} bytes, needed ${limit + 16} bytes. Try a smaller tile, precision f16 or another adapter; a device of your own may need the limits of requiredDevice(adapter).`,
    );
    await expect(createExecutor(context, plan)).rejects.toThrow(/^image f32 /);
    expect(context.memory.bytes).toBe(before);
  });

  test('externals are checked', async () => {
    const executor = await createExecutor(context, smallPlan(TYPE, opened.target));
    const result = buffer(TYPE);
    await expect(executor.run({ externals: { result } })).rejects.toThrow(
      'external image is f32 [1,8,8,4]: expected a buffer of 1024 bytes with usage STORAGE, got none',
    );
    await executor.run({ externals: { image: buffer(TYPE, image), result } });
    expect(await read(result, TYPE)).toEqual(expected);
    executor.dispose();
  });

  test('weights go up in chunks, ragged ends included, and are kept once', async () => {
    const writes = vi.spyOn(opened.device.queue, 'writeBuffer');
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
    const back = await readBuffer(opened.device, context.weights.at(big), 4 * count);
    expectSame(new Float32Array(back), data);
    const tail = await readBuffer(opened.device, context.weights.at(odd), 6);
    expect([...new Uint8Array(tail)]).toEqual([1, 2, 3, 4, 5, 6]);
    const [missing] = smallPlan(LARGE, opened.target).weights;
    expect(() => context.weights.at({ ...missing!, key: 'test/nowhere' })).toThrow(
      'weight test/nowhere vector f32 is not uploaded',
    );
  });

  test('the profiler times every dispatch', async () => {
    const plan = longPlan(LARGE, 4, opened.target);
    const executor = await createExecutor(context, plan);
    const profiler = createProfiler(opened.device);
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
});

test.skipIf(adapterNames.length === 0)('waiting for a software adapter does not spin', async () => {
  const { device, target } = await openTestDevice(adapterNames[0]!);
  const context = createContext(device);
  const executor = await createExecutor(context, longPlan(LARGE, 30, target));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const image = device.createBuffer({ size: byteLength(LARGE), usage });
  const result = device.createBuffer({ size: byteLength(LARGE), usage });
  let turns = 0;
  let isRunning = true;
  const count = (): void => {
    turns++;
    if (isRunning) setImmediate(count);
  };
  setImmediate(count);
  const start = performance.now();
  await executor.run({ externals: { image, result } });
  isRunning = false;
  // One turn sleeps a millisecond, spinning makes hundreds of turns in that time. The few dozen
  // besides are the turns between submits.
  expect(turns).toBeLessThan(performance.now() - start + 50);
  device.destroy();
});

test.skipIf(adapterNames.length === 0)('a lost device rejects the run under way', async () => {
  const { device, target } = await openTestDevice(adapterNames[0]!);
  const context = createContext(device);
  const executor = await createExecutor(context, longPlan(LARGE, 60, target));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const image = device.createBuffer({ size: byteLength(LARGE), usage });
  const result = device.createBuffer({ size: byteLength(LARGE), usage });
  const run = executor.run({
    externals: { image, result },
    budgetMs: 0,
    onProgress: () => device.destroy(),
  });
  await expect(run).rejects.toThrow('the device was lost (destroyed)');
  await expect(executor.run({ externals: { image, result } })).rejects.toThrow('lost');
});
