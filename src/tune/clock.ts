/**
 * Time of one dispatch: by timestamps where the device has exact ones, else by the wall clock around
 * batches that are long enough for it.
 */
import type { EngineContext } from '../engine/context.ts';
import { createExecutor, type Executor } from '../engine/executor.ts';
import type { Kernel, TensorType } from '../engine/kernel.ts';
import type { Plan } from '../engine/plan.ts';
import { createProfiler, type Profiler } from '../engine/profiler.ts';
import type { Buffers } from '../invsr/buffers.ts';

/** Coarser timestamps (65.5 µs in some browsers, 100 µs in others) tell nothing of short kernels. */
const MAX_GRANULARITY_NS = 10_000;
/** Dispatches per sample by timestamps; their least time counts. */
const BATCH = 3;
/** Of a sample by the wall clock: much more than a submit and its wake-up. */
const MIN_BATCH_MS = 10;
const MAX_BATCH = 500;
/** Kernels that take longer run once per sample. */
const LONG_MS = 50;

/** The largest number that all differences are multiples of, in nanoseconds; 0 where all are 0. */
export const granularity = (nanoseconds: readonly number[]): number =>
  nanoseconds.reduce((a, b) => {
    let [x, y] = [a, Math.round(b)];
    while (y !== 0) [x, y] = [y, x % y];
    return x;
  }, 0);

/** Whether the timestamps of these durations are worth using. */
export function areExact(nanoseconds: readonly number[]): boolean {
  const step = granularity(nanoseconds);
  return step > 0 && step <= MAX_GRANULARITY_NS;
}

export interface Clock {
  readonly kind: 'timestamps' | 'wall';
  /** Milliseconds of one dispatch. */
  sample(runs: Runs): Promise<number>;
  dispose(): void;
}

/** One kernel over one set of buffers, any number of times in a row. */
export interface Runs {
  readonly runs: (count: number, profiler?: Profiler) => Promise<void>;
  /** Milliseconds of the first run, with all that a first run costs. */
  readonly first: number;
}

/** `probe` is run to see whether timestamps are exact. */
export async function openClock({ device }: EngineContext, probe: Runs): Promise<Clock> {
  if (!device.features.has('timestamp-query')) return wallClock();
  const profiler = createProfiler(device);
  const durations: number[] = [];
  for (let i = 0; i < 4; i++) {
    await probe.runs(probe.first > LONG_MS ? 1 : BATCH, profiler);
    durations.push(...(await profiler.read()).map(({ nanoseconds }) => nanoseconds));
  }
  if (!areExact(durations)) {
    profiler.dispose();
    return wallClock();
  }
  return {
    kind: 'timestamps',
    async sample({ runs, first }) {
      await runs(first > LONG_MS ? 1 : BATCH, profiler);
      const timings = await profiler.read();
      return Math.min(...timings.map(({ nanoseconds }) => nanoseconds / 1e6));
    },
    dispose: () => profiler.dispose(),
  };
}

const wallClock = (): Clock => ({
  kind: 'wall',
  async sample({ runs }) {
    for (let count = 1; ; count = Math.min(4 * count, MAX_BATCH)) {
      const start = performance.now();
      await runs(count);
      const milliseconds = performance.now() - start;
      if (milliseconds >= MIN_BATCH_MS || count === MAX_BATCH) return milliseconds / count;
    }
  },
  dispose() {},
});

/** The kernel made runnable over buffers called by its inputs' names and `output`. */
export async function openRuns(
  context: EngineContext,
  kernel: Kernel,
  {
    inputs,
    buffers,
    signal,
  }: {
    readonly inputs: Readonly<Record<string, TensorType>>;
    readonly buffers: Buffers;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Runs & { dispose(): void }> {
  const executors = new Map<number, Executor>();
  const runs = async (count: number, profiler?: Profiler): Promise<void> => {
    const plan = planOf(kernel, inputs, count);
    const known = executors.get(count);
    const executor = known ?? (await createExecutor(context, plan, { signal }));
    executors.set(count, executor);
    await executor.run({ externals: await buffers.for(plan), profiler, signal });
  };
  const dispose = (): void => {
    for (const executor of executors.values()) executor.dispose();
  };
  try {
    await createExecutor(context, planOf(kernel, inputs, 1), { signal }).then((executor) =>
      executors.set(1, executor),
    );
    const start = performance.now();
    await runs(1);
    return { runs, first: performance.now() - start, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** `count` times the same dispatch. */
function planOf(kernel: Kernel, inputs: Readonly<Record<string, TensorType>>, count: number): Plan {
  const dispatch = {
    path: `tune.${kernel.name}`,
    kernel,
    inputs: Object.fromEntries(
      Object.keys(kernel.bindings).map((name) => [name, { kind: 'external', name } as const]),
    ),
    output: { kind: 'external', name: 'output' } as const,
  };
  return {
    slots: [],
    weights: [],
    externals: { ...inputs, output: kernel.output.type },
    prepare: [],
    dispatches: Array.from({ length: count }, () => dispatch),
    named: {},
  };
}
