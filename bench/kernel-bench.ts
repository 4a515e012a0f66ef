/**
 * GPU time of single kernels: the conformance cases tagged `perf`, and every distinct dispatch of
 * the embedded model's plan. Inputs are random, each kernel runs alone with warm caches.
 */
import type { EngineContext } from '../src/engine/context.ts';
import { createExecutor, type Executor } from '../src/engine/executor.ts';
import { type Kernel, sizeOf, type Target, type TensorType } from '../src/engine/kernel.ts';
import type { Dispatch, Plan } from '../src/engine/plan.ts';
import { createProfiler } from '../src/engine/profiler.ts';
import { fuse } from '../src/graph/fuse.ts';
import { inputsOf } from '../src/graph/graph.ts';
import { constantNodes } from '../src/graph/liveness.ts';
import { kernelOf } from '../src/graph/ops.ts';
import { Buffers } from '../src/invsr/buffers.ts';
import { type Spread, spreadOf } from '../src/invsr/measure.ts';
import type { Model } from '../src/invsr/model.ts';
import { stageGraph, STAGES, type TileGraphOptions } from '../src/invsr/tile-graph.ts';
import { toHalf } from '../src/weights/half.ts';
import { normal } from '../test/harness/random.ts';
import type { HostData } from '../test/harness/run-kernel.ts';
import type { KernelCase } from '../test/kernels/cases.ts';
import { REGISTRY } from '../test/kernels/registry.ts';

/** A kernel to be timed. */
export interface Subject {
  /** `perf` cases, or the plan of the model. */
  readonly source: 'case' | 'plan';
  readonly kernel: Kernel;
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly data?: KernelCase['data'];
  /** How often the plan has it. */
  readonly count: number;
}

export interface KernelRow {
  readonly source: Subject['source'];
  readonly name: string;
  readonly variant: string;
  readonly count: number;
  readonly milliseconds: Spread;
  /** Billions per second. */
  readonly gflops: number;
  readonly gbytes: number;
  /** Of the plan's time, by these medians. */
  readonly share?: number;
}

export function caseSubjects(target: Target): Subject[] {
  return Object.values(REGISTRY)
    .flat()
    .filter(({ tags }) => tags.includes('perf'))
    .map(({ inputs, data, kernel }) => ({
      source: 'case',
      kernel: kernel(target),
      inputs,
      count: 1,
      ...(data && { data }),
    }));
}

/** The distinct kernels that run for every tile, with their counts. */
export function planSubjects(
  model: Model,
  target: Target,
  options: Pick<TileGraphOptions, 'precision' | 'tile' | 'timesteps'>,
): Subject[] {
  const shape = { ...options, batch: 1, cfg: 1, noise: 'generated' } as const;
  const nodes = STAGES.flatMap((stage) => {
    const graph = fuse({ ...stageGraph(stage, model, shape), names: new Map() });
    const constant = constantNodes(graph);
    return graph.nodes.filter((node) => !constant.has(node));
  });
  const subjects = new Map<string, Subject>();
  for (const node of nodes) {
    const kernel = kernelOf(node.op, { ...node.inputs }, node.constants, target);
    const key = `${kernel.name} ${kernel.variant} ${kernel.wgsl}`;
    const known = subjects.get(key);
    const inputs = Object.fromEntries(
      inputsOf(node).map(([name, { dtype, shape }]) => [name, { dtype, shape }]),
    );
    subjects.set(key, { source: 'plan', kernel, inputs, count: (known?.count ?? 0) + 1 });
  }
  return [...subjects.values()];
}

/** How long one kernel is watched. */
const SECONDS_PER_KERNEL = 3;
const MIN_SAMPLES = 5;
/** Dispatches per submit, each timed by itself: short kernels would else measure the wake-up. */
const BATCH = 5;
/** Kernels that take longer than this run one per submit. */
const LONG_MS = 200;

/** Each sample is one dispatch, after warming up. */
export async function timeKernel(
  context: EngineContext,
  { kernel, inputs, data }: Subject,
  samples: number,
): Promise<Spread> {
  const buffers = new Buffers(context);
  const executors: Executor[] = [];
  const profiler = createProfiler(context.device);
  try {
    for (const [i, [name, type]] of Object.entries(inputs).entries()) {
      await buffers.write(name, inputData(name, type, i + 1, data));
    }
    const batchOf = async (size: number): Promise<() => Promise<number[]>> => {
      const plan = planOf(kernel, inputs, size);
      const externals = await buffers.for(plan);
      const executor = await createExecutor(context, plan);
      executors.push(executor);
      return async () => {
        await executor.run({ externals, profiler });
        return (await profiler.read()).map(({ nanoseconds }) => nanoseconds / 1e6);
      };
    };
    const once = await batchOf(1);
    const [first = 0] = await once();
    const run = first > LONG_MS ? once : await batchOf(BATCH);
    await warmUp(run, first);
    const found: number[] = [];
    const until = performance.now() + 1000 * SECONDS_PER_KERNEL;
    while (found.length < MIN_SAMPLES || (found.length < samples && performance.now() < until)) {
      found.push(...(await run()));
    }
    return spreadOf(found);
  } finally {
    profiler.dispose();
    for (const executor of executors) executor.dispose();
    buffers.dispose();
  }
}

/** Until a batch is no longer 5 % faster than every one before, but for a second at most. */
async function warmUp(run: () => Promise<number[]>, first: number): Promise<void> {
  const until = performance.now() + 1000;
  let best = first;
  while (performance.now() < until) {
    const fastest = Math.min(...(await run()));
    if (fastest > 0.95 * best) return;
    best = fastest;
  }
}

/** `size` times the same dispatch over the caller's buffers. */
function planOf(kernel: Kernel, inputs: Subject['inputs'], size: number): Plan {
  const dispatch: Dispatch = {
    path: kernel.name,
    kernel,
    inputs: Object.fromEntries(
      Object.keys(kernel.bindings).map((name) => [name, { kind: 'external', name }]),
    ),
    output: { kind: 'external', name: 'output' },
  };
  return {
    slots: [],
    weights: [],
    externals: { ...inputs, output: kernel.output.type },
    prepare: [],
    dispatches: Array.from({ length: size }, () => dispatch),
    named: {},
  };
}

function inputData(
  name: string,
  type: TensorType,
  seed: number,
  data: Subject['data'],
): Uint8Array | HostData {
  const length = sizeOf(type.shape);
  if (type.dtype === 'u32') return data?.(name, type, seed) ?? new Uint32Array(length);
  const values = data?.(name, type, seed) ?? noise(length, seed);
  return type.dtype === 'f16' ? new Uint8Array(toHalf(values as Float32Array).buffer) : values;
}

/** Normal noise, repeated: a million draws take a tenth of a second. */
function noise(length: number, seed: number): Float32Array {
  const some = normal(Math.min(length, 65_521), seed);
  return Float32Array.from({ length }, (_, i) => some[i % some.length] ?? 0);
}

export async function benchKernels(
  context: EngineContext,
  subjects: readonly Subject[],
  { samples, onRow }: { readonly samples: number; readonly onRow?: (row: KernelRow) => void },
): Promise<KernelRow[]> {
  const rows: KernelRow[] = [];
  for (const subject of subjects) {
    const { source, kernel, count } = subject;
    const milliseconds = await timeKernel(context, subject, samples);
    const row: KernelRow = {
      source,
      name: kernel.name,
      variant: kernel.variant,
      count,
      milliseconds,
      gflops: kernel.cost.flops / milliseconds.median / 1e6,
      gbytes: kernel.cost.bytes / milliseconds.median / 1e6,
    };
    onRow?.(row);
    rows.push(row);
  }
  const timeOf = ({ count, milliseconds }: KernelRow): number => count * milliseconds.median;
  const total = rows
    .filter(({ source }) => source === 'plan')
    .reduce((sum, row) => sum + timeOf(row), 0);
  return rows.map((row) =>
    row.source === 'plan' && total > 0 ? { ...row, share: timeOf(row) / total } : row,
  );
}

export const subjectsOf = (
  context: EngineContext,
  model: Model,
  options: Pick<TileGraphOptions, 'precision' | 'tile' | 'timesteps'>,
  filter: string,
): Subject[] => {
  const { target } = context;
  return [...caseSubjects(target), ...planSubjects(model, target, options)].filter(({ kernel }) =>
    `${kernel.name} ${kernel.variant}`.toLowerCase().includes(filter.toLowerCase()),
  );
};
