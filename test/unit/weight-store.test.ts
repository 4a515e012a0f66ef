/** Weights are there when all of their bytes are, whoever uploads them, and uploaded once. */
import { beforeAll, expect, test } from 'vitest';
import type { Allocator } from '../../src/engine/memory.ts';
import type { PlanWeight } from '../../src/engine/plan.ts';
import { WeightStore } from '../../src/engine/weight-store.ts';

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
    create: async () => {
      log.push('create');
      await allocate();
      return [{ size: 16 }];
    },
    destroy: () => log.push('destroy'),
  } as unknown as Allocator;
  const queue = { writeBuffer: () => log.push('write') } as unknown as GPUQueue;
  return { store: new WeightStore(queue, allocator), log };
}

test('two at once: one upload, and both wait for it', async () => {
  const { store, log } = fakeStore(aMoment);
  const ended: string[] = [];
  const upload = async (name: string) => {
    await store.upload(WEIGHT, BYTES);
    expect(store.has(WEIGHT)).toBe(true);
    ended.push(name);
  };
  const both = Promise.all([upload('a'), upload('b')]);
  expect(store.has(WEIGHT)).toBe(false);
  await both;
  expect(ended).toEqual(['a', 'b']);
  await store.upload(WEIGHT, BYTES);
  expect(log).toEqual(['create', 'write']);
  expect(store.totalBytes).toBe(16);
});

test('after a failure it can be tried again', async () => {
  let calls = 0;
  const { store } = fakeStore(async () => {
    if (++calls === 1) throw new Error('no memory');
  });
  const both = [store.upload(WEIGHT, BYTES), store.upload(WEIGHT, BYTES)];
  expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual([
    'rejected',
    'rejected',
  ]);
  expect(store.has(WEIGHT)).toBe(false);
  await store.upload(WEIGHT, BYTES);
  expect(store.has(WEIGHT)).toBe(true);
});

test('freed while it is uploaded: nothing is left', async () => {
  const { store, log } = fakeStore(aMoment);
  const upload = store.upload(WEIGHT, BYTES);
  store.dispose();
  await expect(upload).rejects.toThrow('freed');
  expect(store.has(WEIGHT)).toBe(false);
  expect(log).toEqual(['create', 'write', 'destroy']);
});
