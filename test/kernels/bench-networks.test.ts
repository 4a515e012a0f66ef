/** The bench of networks: a row for each, and what ends it early. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { benchNetworks, type NetworkOptions } from '../../bench/network-bench.ts';
import type { Machine } from '../../bench/record.ts';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';

let made: TestDevice;
let context: EngineContext;
let model: Model;
beforeAll(async () => {
  // The quickest of them: that networks compute the same everywhere is tested elsewhere.
  made = await openTestDevice(adapterNames.at(-1) ?? 'swiftshader');
  context = createContext(made.device);
  model = await openModel(nodeFolder('weights/invsr-nano'));
});
afterAll(async () => {
  context?.dispose();
  made?.device.destroy();
  await model?.close();
});

const options = (more: Partial<NetworkOptions>): NetworkOptions => ({
  machine: { adapter: 'test' } as Machine,
  name: 'invsr-nano',
  precisions: ['f32'],
  runs: 1,
  filter: 'noise_predictor',
  signal: new AbortController().signal,
  onProgress: () => {},
  ...more,
});

test('a row has wall and GPU time, and the work of the plan', async () => {
  const { rows, incomplete } = await benchNetworks(context, model, options({}));
  expect(incomplete).toBeUndefined();
  expect(rows.map(({ id }) => id)).toEqual(['invsr-nano noise_predictor f32']);
  const [row] = rows;
  expect(row?.milliseconds.runs).toBe(1);
  expect(row?.gpuMilliseconds?.median).toBeGreaterThan(0);
  expect(row?.dispatches).toBeGreaterThan(50);
  expect(row?.flops).toBeGreaterThan(1e9);
});

test('a network that is not there: the sentence names those that are', async () => {
  await expect(benchNetworks(context, model, options({ filter: 'clip' }))).rejects.toThrow(
    'no network matches --filter clip; there are noise_predictor, vae.encoder, unet, vae.decoder',
  );
});

test('what was measured before a failure stays', async () => {
  // As if the device went away when the second network is opened.
  const onProgress = (text: string): void => {
    if (text.startsWith('vae.encoder')) throw new Error('the device was lost');
  };
  const record = await benchNetworks(context, model, options({ filter: 'e', onProgress }));
  expect(record.rows.map(({ network }) => network)).toEqual(['noise_predictor']);
  expect(record.incomplete).toBe('the device was lost');
});
