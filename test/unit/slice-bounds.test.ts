/** How much is done between two pauses, counted: a page's thread is kept for no longer, however large the model. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Allocator } from '../../src/engine/allocator.ts';
import type { Capabilities } from '../../src/engine/device.ts';
import type { Target } from '../../src/engine/kernel.ts';
import type { Plan } from '../../src/engine/plan.ts';
import { atOnce, type Work } from '../../src/engine/slices.ts';
import { banding } from '../../src/graph/band.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { limitsOf } from '../../src/graph/limits.ts';
import { lowering } from '../../src/graph/lower.ts';
import { PASSES, rewriting } from '../../src/graph/passes.ts';
import { stripsOf } from '../../src/graph/strips.ts';
import { usesOf } from '../../src/graph/uses.ts';
import { fullSizeGraph } from '../../src/invsr/full-size.ts';
import { planningMemory } from '../../src/invsr/memory-plan.ts';

const target: Target = { family: 'alu', shaderF16: true, subgroupSize: 0 };

/** Its pauses, and what it gives. */
async function pausesOf<T>(work: Work<T>): Promise<{ pauses: number; result: T }> {
  for (let pauses = 0; ; pauses++) {
    const step = work.next();
    if (step.done) return { pauses, result: step.value };
    if (step.value) await step.value.load();
  }
}

const encoder = (): Graph => fullSizeGraph('encode', { tile: 128, precision: 'f16' });

const planned = (): Promise<{ pauses: number; result: Plan }> =>
  pausesOf(lowering(encoder(), target, { keep: () => false, compact: false }));

test('a plan: a pause after every kernel, and one after every rewriting of the graph', async () => {
  const { pauses, result } = await planned();
  const kernels = result.prepare.length + result.dispatches.length;
  // No bands, no matrices; slots.
  expect(pauses).toBeGreaterThanOrEqual(kernels + PASSES.length - 2 + 1);
});

test('bands: a pause after every strip', async () => {
  const graph = atOnce(rewriting(encoder(), target, { until: 'chain' }));
  const limits = { maxBindingBytes: 2 ** 27, compact: true };
  const strips = stripsOf(graph, usesOf(graph), limitsOf(graph, limits));
  const { pauses, result } = await pausesOf(banding(graph, limits));
  expect(result.nodes.length).toBeGreaterThan(graph.nodes.length);
  expect(pauses).toBeGreaterThanOrEqual(strips.length);
});

test('memory: pauses in every plan, and after each that runs by itself', async () => {
  const { result: plan } = await planned();
  const plans = [plan, { ...plan }].map((each) => ({ stage: 'encode' as const, plan: each }));
  const frame = { plans: [{ ...plan }, { ...plan }], otherBytes: 0 };
  const shape = { tile: 128, tileBatch: 1, lowMemory: false, jobs: 1, alignment: 256, frame };
  const { pauses } = await pausesOf(planningMemory(plans, shape));
  expect(pauses).toBeGreaterThanOrEqual(3 * (plans.length + frame.plans.length) + 2);
});

/** A clock that only `work` moves. */
let clock = 0;
const log: ('work' | 'pause')[] = [];
function work(milliseconds: number): void {
  log.push('work');
  clock += milliseconds;
}

beforeEach(() => {
  log.length = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const Channel = MessageChannel; // every pause takes one
  vi.stubGlobal(
    'MessageChannel',
    class extends Channel {
      constructor() {
        super();
        log.push('pause');
      }
    },
  );
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test('buffers: no more of them than fit a slice', async () => {
  const device = {
    pushErrorScope: () => {},
    popErrorScope: () => Promise.resolve(null),
    createBuffer(request: GPUBufferDescriptor) {
      work(2);
      return request;
    },
  } as unknown as GPUDevice;
  const capabilities = { limits: { maxBufferSize: 1024 } } as Capabilities;
  const requests = Array.from({ length: 40 }, () => ({ label: 'weight', bytes: 16, usage: 0 }));
  expect(await new Allocator(device, capabilities).create(requests)).toHaveLength(40);
  const streaks = log.join(' ').split(/(?: ?pause)+/);
  // Slices of 8 ms.
  expect(Math.max(...streaks.map((streak) => streak.split('work').length - 1))).toBe(4);
});
