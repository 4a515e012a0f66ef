/** Weights are there when all of their bytes are, whoever uploads them, and uploaded once. */
import { beforeAll, expect, test } from 'vitest';
import type { Allocator } from '../../src/engine/allocator.ts';
import type { PlanWeight } from '../../src/engine/plan.ts';
import { WeightStore } from '../../src/engine/weight-store.ts';
import { uploadWeight } from '../harness/upload-weight.ts';

const WEIGHT: PlanWeight = {
  key: 'unet/conv_in.bias',
  layout: 'vector',
  type: { dtype: 'f32', shape: [4] },
};
const BYTES = new Uint8Array(16);

beforeAll(() => {
  Object.assign(globalThis, { GPUBufferUsage: { STORAGE: 1, COPY_DST: 2, COPY_SRC: 4 } });
});

const aMoment = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

/** A store whose allocations end as `allocate` says; `log` tells what became of the buffers. */
function fakeStore(allocate: () => Promise<void>) {
  const log: string[] = [];
  const allocator = {
    create: async (requests: readonly unknown[]) => {
      log.push(`create ${requests.length}`);
      await allocate();
      return requests.map(() => ({ size: 16 }));
    },
    destroy: () => log.push('destroy'),
  } as unknown as Allocator;
  const queue = { writeBuffer: () => log.push('write'), submit: () => {} };
  const device = { queue } as unknown as GPUDevice;
  return { store: new WeightStore(device, allocator), log };
}

test('two at once: one upload, and both wait for it', async () => {
  const { store, log } = fakeStore(aMoment);
  const ended: string[] = [];
  const upload = async (name: string) => {
    await uploadWeight(store, WEIGHT, BYTES);
    expect(store.has(WEIGHT)).toBe(true);
    ended.push(name);
  };
  const both = Promise.all([upload('a'), upload('b')]);
  expect(store.has(WEIGHT)).toBe(false);
  await both;
  expect(ended).toEqual(['a', 'b']);
  await uploadWeight(store, WEIGHT, BYTES);
  expect(log).toEqual(['create 1', 'write']);
  expect(store.totalBytes).toBe(16);
});

test('after a failure another one that waited tries itself, and so can the first', async () => {
  let calls = 0;
  const { store } = fakeStore(async () => {
    if (++calls === 1) throw new Error('no memory');
  });
  const both = [uploadWeight(store, WEIGHT, BYTES), uploadWeight(store, WEIGHT, BYTES)];
  expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
  ]);
  expect(store.has(WEIGHT)).toBe(true);
  await uploadWeight(store, WEIGHT, BYTES);
  expect(calls).toBe(2);
});

test('freed while it is uploaded: nothing is left', async () => {
  const { store, log } = fakeStore(aMoment);
  const upload = uploadWeight(store, WEIGHT, BYTES);
  store.dispose();
  await expect(upload).rejects.toThrow('freed');
  expect(store.has(WEIGHT)).toBe(false);
  expect(log).toEqual(['create 1', 'write', 'destroy']);
});

const of = (key: string): PlanWeight => ({ ...WEIGHT, key });

test('a load makes all buffers at once and is there as a whole', async () => {
  const { store, log } = fakeStore(aMoment);
  const weights = ['unet/a', 'unet/b', 'vae/a'].map(of);
  await store.load([...weights, of('unet/a')], async (missing, buffers) => {
    expect(missing).toEqual(weights);
    expect(buffers.length).toBe(3);
    expect(weights.some((weight) => store.has(weight))).toBe(false);
  });
  expect(weights.every((weight) => store.has(weight))).toBe(true);
  expect(log).toEqual(['create 3']);
  expect(store.bytesByComponent()).toEqual(
    new Map([
      ['unet', 32],
      ['vae', 16],
    ]),
  );
});

test('loads that overlap share what is under way', async () => {
  const { store, log } = fakeStore(aMoment);
  const filled: string[][] = [];
  const fill = async (missing: readonly PlanWeight[]) => {
    filled.push(missing.map(({ key }) => key));
    await aMoment();
  };
  await Promise.all([
    store.load(['unet/a', 'unet/b'].map(of), fill),
    store.load(['unet/b', 'unet/c'].map(of), fill),
  ]);
  expect(filled).toEqual([['unet/a', 'unet/b'], ['unet/c']]);
  expect(log).toEqual(['create 2', 'create 1']);
});

test('a load that fails leaves nothing', async () => {
  const { store, log } = fakeStore(aMoment);
  const load = store.load(['unet/a', 'unet/b'].map(of), () =>
    Promise.reject(new Error('cut short')),
  );
  await expect(load).rejects.toThrow('cut short');
  expect(log).toEqual(['create 2', 'destroy', 'destroy']);
  expect(store.totalBytes).toBe(0);
});

test('releasing a component frees its buffers and no others, and it can be loaded again', async () => {
  const { store, log } = fakeStore(aMoment);
  const weights = ['unet/a', 'vae/a', 'unetlike/a'].map(of);
  const fill = async () => {};
  await store.load(weights, fill);
  const before = store.releases;
  store.release('unet');
  expect(store.releases).toBeGreaterThan(before);
  expect(weights.map((weight) => store.has(weight))).toEqual([false, true, true]);
  expect(() => store.at(of('unet/a'))).toThrow('not uploaded');
  await store.load(weights, fill);
  expect(log).toEqual(['create 3', 'destroy', 'create 1']);
});

test('released while it is loaded: that load fails, one that came after is untouched', async () => {
  const { store } = fakeStore(aMoment);
  const fill = async () => aMoment();
  const first = store.load([of('unet/a')], fill);
  const other = store.load([of('vae/a')], fill);
  store.release('unet');
  const second = store.load([of('unet/a')], fill);
  await expect(first).rejects.toThrow('weights of unet were freed meanwhile');
  await Promise.all([other, second]);
  expect(store.bytesByComponent().get('unet')).toBe(16);
  expect(store.bytesByComponent().get('vae')).toBe(16);
});
