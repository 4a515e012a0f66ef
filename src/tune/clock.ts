/**
 * Time of a node's dispatches: by timestamps where the device has exact ones, else by the wall clock around
 * batches that are long enough for it.
 */
import type { EngineContext } from '../engine/context.ts';
import { createExecutor, type Executor } from '../engine/executor.ts';
import { dispatchesOf, type Plan } from '../engine/plan.ts';
import { createProfiler, type Profiler } from '../engine/profiler.ts';
import type { Buffers } from '../invsr/buffers.ts';

/** Coarser timestamps (65.5 µs in some browsers, 100 µs in others) tell nothing of short kernels. */
const MAX_GRANULARITY_NS = 10_000;
/** Dispatches per sample by timestamps; their least time counts. */
const BATCH = 3;
/** Of a sample by the wall clock: much more than a submit and its wake-up. */
const MIN_BATCH_MS = 10;
const MAX_BATCH = 512;
/** So many runs that what prepares them hardly counts. */
const MIN_PREPARED = 16;
/** Kernels that take longer run once per sample. */
const LONG_MS = 50;

/** The largest number that all differences are multiples of, in nanoseconds; 0 where all are 0. */
const granularity = (nanoseconds: readonly number[]): number =>
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
  /** Milliseconds of one run. */
  sample(runs: Runs): Promise<number>;
  dispose(): void;
}

/** A small plan over one set of buffers, any number of times in a row. */
export interface Runs {
  /** Of one run. */
  readonly dispatches: number;
  /** Before all runs, every time: what a plan would have done once. */
  readonly preparing: number;
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
    durations.push(...(await dispatchTimes(probe, profiler)));
  }
  if (!areExact(durations)) {
    profiler.dispose();
    return wallClock();
  }
  return {
    kind: 'timestamps',
    async sample(work) {
      const times = await dispatchTimes(work, profiler);
      const size = work.dispatches;
      const runs = Array.from({ length: times.length / size }, (_, i) =>
        times.slice(i * size, (i + 1) * size).reduce((sum, time) => sum + time, 0),
      );
      return Math.min(...runs) / 1e6;
    },
    dispose: () => profiler.dispose(),
  };
}

/** In nanoseconds, of some runs, without what prepares them. */
async function dispatchTimes(work: Runs, profiler: Profiler): Promise<number[]> {
  await work.runs(work.first > LONG_MS ? 1 : BATCH, profiler);
  const timings = await profiler.read();
  return timings.slice(work.preparing).map(({ nanoseconds }) => nanoseconds);
}

const wallClock = (): Clock => ({
  kind: 'wall',
  async sample({ runs, preparing }) {
    for (let count = preparing > 0 ? MIN_PREPARED : 1; ; count = Math.min(4 * count, MAX_BATCH)) {
      const start = performance.now();
      await runs(count);
      const milliseconds = performance.now() - start;
      if (milliseconds >= MIN_BATCH_MS || count === MAX_BATCH) return milliseconds / count;
    }
  },
  dispose() {},
});

/** The plan made runnable over buffers called by its externals' names. */
export async function openRuns(
  context: EngineContext,
  plan: Plan,
  { buffers, signal }: { readonly buffers: Buffers; readonly signal?: AbortSignal | undefined },
): Promise<Runs & { dispose(): void }> {
  const compiled = await context.pipelines.compile(dispatchesOf(plan), { signal });
  const executors = new Map<number, Executor>();
  const executorOf = async (count: number): Promise<Executor> => {
    const known = executors.get(count);
    if (known) return known;
    const repeated = Array.from({ length: count }, () => plan.dispatches).flat();
    // Executors have no externals when they prepare.
    const parts = { weights: [], prepare: [], dispatches: [...plan.prepare, ...repeated] };
    const made = await createExecutor(context, { ...plan, ...parts }, compiled, signal);
    executors.set(count, made);
    return made;
  };
  const runs = async (count: number, profiler?: Profiler): Promise<void> => {
    const executor = await executorOf(count);
    await executor.run({ externals: await buffers.for(plan), profiler, signal });
  };
  const dispose = (): void => {
    for (const executor of executors.values()) executor.dispose();
  };
  try {
    await executorOf(1);
    const start = performance.now();
    await runs(1);
    const first = performance.now() - start;
    const preparing = plan.prepare.length;
    return { runs, first, preparing, dispatches: plan.dispatches.length, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}
