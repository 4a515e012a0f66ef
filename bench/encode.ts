/**
 * JavaScript's share of a tile: encoding all dispatches of InvSR-1's four networks into command
 * buffers, with bind groups as a second run finds them. See bench/README.md.
 *
 * Dawn's null backend stands in for a GPU: it validates and records as a real one, compiles no machine
 * code and computes nothing, so that neither submits nor a driver's work are in the time. Buffers are
 * as many as the plans', weights small ones: the null backend has no 2 GB. `finish` is in the time,
 * `submit` is not.
 */
import { create, globals } from 'webgpu';
import { bindDispatches, packPlanParams, slotRequests } from '../src/engine/binder.ts';
import type { EngineContext } from '../src/engine/context.ts';
import { openContext } from '../src/graph/open-context.ts';
import { requiredDevice } from '../src/engine/device.ts';
import { byteLength, type Target, type TensorType } from '../src/engine/kernel.ts';
import { dispatchesOf, type Plan } from '../src/engine/plan.ts';
import { loadPlanner, lower } from '../src/graph/lower.ts';
import { fullSizeGraph } from '../src/invsr/full-size.ts';
import { type Spread, spreadOf } from '../src/invsr/measure.ts';
import { type Stage, STAGES } from '../src/invsr/tile-graph.ts';
import type { Machine } from './record.ts';
import { commitOfClone, describeMachine, machineOf } from './machine.ts';
import { type Column, digits, textTable } from './table.ts';

export interface EncodeRow {
  readonly stage: Stage | 'all';
  readonly dispatches: number;
  readonly milliseconds: Spread;
}

export interface EncodeRecord {
  readonly machine: Machine;
  readonly rows: readonly EncodeRow[];
}

const SMALL: TensorType = { dtype: 'f32', shape: [4] };
const TARGET: Target = { family: 'alu', shaderF16: true, subgroupSize: 32 };
/** Until the compiler has seen the loop often enough. */
const WARM_UP = 50;

const instances: unknown[] = []; // see `instances` in engine/node-adapters.ts

async function openNullContext(): Promise<EngineContext> {
  Object.assign(globalThis, globals);
  const gpu = create(['backend=null']);
  instances.push(gpu);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('no null adapter');
  return openContext(await adapter.requestDevice(requiredDevice(adapter)));
}

/** A stage's dispatches bound to buffers, ready to be encoded. */
async function bindStage(context: EngineContext, lowered: Plan): Promise<() => void> {
  const { device, allocator } = context;
  const weights = lowered.weights.map((weight) => ({ ...weight, type: SMALL }));
  const plan: Plan = { ...lowered, weights };
  const dispatches = dispatchesOf(plan);
  const compiled = await context.pipelines.compile(dispatches, {});
  // Their content matters to nobody.
  await context.weights.load(plan.weights, () => Promise.resolve());
  const slots = await context.slots.lease(slotRequests(plan));
  const packed = packPlanParams(dispatches, 256);
  const types = Object.entries(plan.externals);
  const [params, ...buffers] = await allocator.create([
    { label: 'params', bytes: packed.bytes.byteLength, usage: GPUBufferUsage.UNIFORM },
    ...types.map(([label, type]) => ({
      label,
      bytes: byteLength(type),
      usage: GPUBufferUsage.STORAGE,
    })),
  ]);
  if (!params) throw new Error('no params buffer');
  const sources = { plan, slots, params, ranges: packed.ranges, compiled };
  const bound = bindDispatches(context, sources, plan.dispatches, plan.prepare.length);
  const externals = Object.fromEntries(
    types.flatMap(([name], i) => (buffers[i] ? [[name, buffers[i]]] : [])),
  );
  return () => {
    bound.use(externals);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    bound.encode(pass, 0, bound.dispatches.length);
    pass.end();
    encoder.finish();
  };
}

export async function benchEncode(runs: number): Promise<EncodeRecord> {
  const context = await openNullContext();
  await loadPlanner(TARGET);
  const machine = machineOf(context.capabilities, commitOfClone());
  const plans = STAGES.map((stage) => {
    const graph = fullSizeGraph(stage, { precision: 'f16', tile: 128 });
    const maxBindingBytes = context.capabilities.limits.maxStorageBufferBindingSize;
    return lower(graph, TARGET, { keep: () => false, maxBindingBytes, compact: false });
  });
  const encodes: (() => void)[] = [];
  for (const plan of plans) encodes.push(await bindStage(context, plan));
  const timed = (work: () => void): number => {
    const begin = performance.now();
    work();
    return performance.now() - begin;
  };
  const times: number[][] = [];
  for (let run = 0; run < WARM_UP + runs; run++) {
    const each = encodes.map(timed);
    if (run >= WARM_UP) times.push([...each, each.reduce((sum, ms) => sum + ms, 0)]);
    // Objects of the last run are freed between, as they are between submits.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const counts = plans.map(({ dispatches }) => dispatches.length);
  const all = counts.reduce((sum, n) => sum + n, 0);
  context.device.destroy();
  return {
    machine,
    rows: [...STAGES, 'all' as const].map((stage, i) => ({
      stage,
      dispatches: counts[i] ?? all,
      milliseconds: spreadOf(times.map((row) => row[i] ?? 0)),
    })),
  };
}

export function encodeReport({ machine, rows }: EncodeRecord): string {
  const columns: Column<EncodeRow>[] = [
    { title: 'encoding', align: 'left', cell: ({ stage }) => stage },
    { title: 'dispatches', cell: ({ dispatches }) => String(dispatches) },
    { title: 'ms', cell: ({ milliseconds }) => digits(milliseconds.median) },
    { title: 'p10', cell: ({ milliseconds }) => digits(milliseconds.p10) },
    { title: 'p90', cell: ({ milliseconds }) => digits(milliseconds.p90) },
  ];
  return `${describeMachine(machine)}\n\n${textTable(columns, rows)}\n`;
}
