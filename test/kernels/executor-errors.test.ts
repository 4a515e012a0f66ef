/** What the executor refuses, and how it says so; what a lost device does to a run. */
import { describe, expect, test } from 'vitest';
import { createContext } from '../../src/engine/context.ts';
import { CompileError, DeviceError } from '../../src/engine/errors.ts';
import type { TensorType } from '../../src/engine/kernel.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { IMAGE, LARGE, RESULT, SMALL, useDevice, largeExternals } from '../harness/on-device.ts';
import { openExecutor, affineDispatch, external, longPlan, smallPlan } from '../harness/plans.ts';

describe.each(adapterNames)('%s', (name) => {
  const on = useDevice(name);

  test('WGSL that does not compile is reported with layer, kernel, message and lines', async () => {
    const { context, target } = on();
    const plan = smallPlan(SMALL, target);
    const [first, ...rest] = plan.dispatches;
    const wgsl = first!.kernel.wgsl.replace('var v =', 'var v = nonsense +');
    const line = wgsl.split('\n').findIndex((text) => text.includes('nonsense')) + 1;
    const bad = { ...first!, kernel: { ...first!.kernel, wgsl } };
    const error = await openExecutor(context, { ...plan, dispatches: [bad, ...rest] }).catch(
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(CompileError);
    const lines = (error as Error).message.split('\n');
    expect(lines[0]).toMatch(/^net\.add: affine f32 .*unresolved value 'nonsense'/);
    expect(lines).toHaveLength(4);
    expect(lines[2]).toMatch(new RegExp(`^> +${line} \\|   var v = nonsense`));
  });

  test('a pipeline that the device refuses is reported too', async () => {
    const { context, target } = on();
    const plan = smallPlan(SMALL, target);
    const [first, ...rest] = plan.dispatches;
    const wgsl = first!.kernel.wgsl.replace('@workgroup_size(64)', '@workgroup_size(4096)');
    const bad = { ...first!, kernel: { ...first!.kernel, wgsl } };
    await expect(openExecutor(context, { ...plan, dispatches: [bad, ...rest] })).rejects.toThrow(
      /^net\.add: affine f32 .* does not compile: .*4096/s,
    );
  });

  test('a dispatch that WebGPU rejects is an error of the run, not of the owner', async () => {
    const { buffer, context, target } = on();
    const plan = smallPlan(SMALL, target);
    const same = affineDispatch(
      'net.alias',
      SMALL,
      [external('image'), undefined, external('image')],
      { alpha: 1 },
      target,
    );
    const executor = await openExecutor(context, { ...plan, dispatches: [same] });
    await expect(executor.run({ externals: { image: buffer(SMALL, IMAGE) } })).rejects.toThrow(
      /^net\.alias: /,
    );
    executor.dispose();
  });

  test('what does not fit is a DeviceError that names the layer', async () => {
    const { context, target, capabilities } = on();
    const limit = capabilities.limits.maxStorageBufferBindingSize;
    const type: TensorType = { dtype: 'f32', shape: [1, limit / 16 + 1, 1, 4] };
    const inside: TensorType = { dtype: 'f32', shape: [4] };
    const plan = longPlan(type, 0, target);
    const before = context.memory.bytes;
    const error = await openExecutor(context, {
      ...plan,
      externals: { image: inside, result: inside },
    }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DeviceError);
    expect((error as Error).message).toBe(
      `in f32 [1,${limit / 16 + 1},1,4] does not fit maxStorageBufferBindingSize: got ${limit} bytes, needed ${limit + 16} bytes. Try a smaller tile, precision f16 or another adapter; a device of your own may need the limits of requiredDevice(adapter).`,
    );
    await expect(openExecutor(context, plan)).rejects.toThrow(/^image f32 /);
    expect(context.memory.bytes).toBe(before);
  });

  test('externals are checked', async () => {
    const { buffer, read, context, target } = on();
    const executor = await openExecutor(context, smallPlan(SMALL, target));
    const result = buffer(SMALL);
    await expect(executor.run({ externals: { result } })).rejects.toThrow(
      'external image is f32 [1,8,8,4]: expected a buffer of 1024 bytes with usage STORAGE, got none',
    );
    await executor.run({ externals: { image: buffer(SMALL, IMAGE), result } });
    expect(await read(result, SMALL)).toEqual(RESULT);
    executor.dispose();
  });
});

test.skipIf(adapterNames.length === 0)('a lost device rejects the run under way', async () => {
  const { device, target } = await openTestDevice(adapterNames[0]!);
  const context = createContext(device);
  const executor = await openExecutor(context, longPlan(LARGE, 60, target));
  const externals = largeExternals(device);
  const run = executor.run({
    externals,
    budgetMs: 0,
    onProgress: () => device.destroy(),
  });
  await expect(run).rejects.toThrow('the device was lost (destroyed)');
  await expect(executor.run({ externals })).rejects.toThrow('lost');
});
