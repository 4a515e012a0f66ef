/** Tuning without a device: what of a model can be verified, with which code, and when there is time for it. */
import { expect, test, vi } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import { createQueue } from '../../src/engine/queue.ts';
import { openModel } from '../../src/invsr/model.ts';
import { quietGate } from '../../src/tune/background.ts';
import type { Reference } from '../../src/tune/sampled-reference.ts';
import { modelSubjects } from '../../src/tune/tune-model.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { NVIDIA, withMatrix } from '../harness/matrices.ts';

const TARGETS: readonly Target[] = [
  { family: 'cpu', shaderF16: true, subgroupSize: 8 },
  { family: 'cpu', shaderF16: false, subgroupSize: 4 },
  { family: 'alu', shaderF16: true, subgroupSize: 32 },
  withMatrix(NVIDIA),
];

test.each(TARGETS)(
  'every choice of $family, $subgroupSize lanes, can be verified',
  async (target) => {
    const model = await openModel(nodeFolder('weights/invsr-nano'));
    const capabilities = {
      family: target.family,
      shaderF16: target.shaderF16,
      limits: { maxStorageBufferBindingSize: 2 ** 30 },
    };
    const subjects = modelSubjects({ target, capabilities } as never, model);
    for (const subject of subjects) {
      const { key, candidates } = subject;
      const reference = subject.reference() as Reference;
      expect(reference, key).toBeDefined();
      const reads = Object.entries(reference.inputs).flatMap(([name, noise]) =>
        noise ? [{ name, slice: vi.spyOn(noise, 'slice') }] : [],
      );
      reference.expected(0);
      const ignored = reads.filter(({ slice }) => slice.mock.calls.length === 0);
      expect(
        ignored.map(({ name }) => name),
        key,
      ).toEqual([]);
      const texts = candidates.map((design) =>
        JSON.stringify(
          subject.plan(design, {}).dispatches.map(({ kernel: k }) => [k.wgsl, k.workgroups]),
        ),
      );
      expect(new Set(texts).size, key).toBe(candidates.length);
    }
    expect(subjects.length).toBeGreaterThan(20);
    await model.close();
  },
);

test('tune gets the code that its plans call for', async () => {
  vi.resetModules(); // test/harness/load-kernels.ts has loaded all of it
  const { tune } = await import('../../src/tune/tune-model.ts');
  const { loadDesigns, rareOps } = await import('../../src/kernels/on-demand.ts');
  const { productNodes } = await import('../../src/graph/algorithms.ts');
  expect(() => rareOps.get()).toThrow('not loaded');
  const [, , target] = TARGETS;
  await loadDesigns(target!); // as openContext does
  const model = await openModel(nodeFolder('weights/invsr-nano'));
  const capabilities = { ...target, limits: { maxStorageBufferBindingSize: 2 ** 30 } };
  const stop = AbortSignal.abort(new Error('enough'));
  await expect(tune({ target, capabilities } as never, model, { signal: stop })).rejects.toThrow(
    'enough',
  );
  expect(rareOps.get()).toBeDefined();
  expect(productNodes.get()).toBeDefined();
  await model.close();
});

test('measurements wait for a quiet moment, and are not delayed once it is quiet', async () => {
  const exclusive = createQueue();
  const lost = new AbortController().signal;
  const gate = quietGate({ exclusive, lost }, 30);
  const order: string[] = [];
  const work = (name: string) =>
    exclusive(async () => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      order.push(name);
    });
  const first = work('visible');
  await gate();
  order.push('sample');
  await first;
  let isLater = false;
  setTimeout(() => (isLater = true), 0);
  await gate();
  expect(isLater).toBe(false);
  const second = work('visible');
  await gate();
  order.push('sample');
  await second;
  expect(order).toEqual(['visible', 'sample', 'visible', 'sample']);
});

test('waiting for a quiet moment ends with its signal', async () => {
  const exclusive = createQueue();
  const controller = new AbortController();
  void exclusive(() => new Promise(() => {}));
  const gate = quietGate({ exclusive, lost: new AbortController().signal }, 6, controller.signal);
  setTimeout(() => controller.abort(), 20);
  await expect(gate()).rejects.toThrow('abort');
});
