/**
 * What a run costs: graphs made runnable for timing, and the statistics of repeated runs. Serves
 * `invsr bench` and bench/; nothing of `upscale` needs it.
 */
import type { EngineContext } from '../engine/context.ts';
import type { Plan } from '../engine/plan.ts';
import { createProfiler, type DispatchTiming, type Profiler } from '../engine/profiler.ts';
import type { Graph } from '../graph/graph.ts';
import { Buffers } from './buffers.ts';
import type { Model } from './model.ts';
import { readTensor, valuesOf } from './read-tensor.ts';
import { createRunner, type Runner } from './runner.ts';

/** The networks of the whole path, by the prefix of their layers' paths. */
export const NETWORKS = ['noise_predictor', 'vae.encoder', 'unet', 'vae.decoder'] as const;
export type NetworkName = (typeof NETWORKS)[number];

/** Everything that belongs to no network: resampling, sampling, scheduler steps. */
export const networkOf = (path: string): NetworkName | 'other' =>
  NETWORKS.find((name) => path.startsWith(`${name}.`)) ?? 'other';

export interface Workload {
  /** Run one after another. */
  readonly plans: readonly Plan[];
  /** Uploads the inputs, runs, reads the output back. */
  run(): Promise<TimedRun>;
  /** GPU time of every dispatch of one run, in the plan's order. Slower than `run`. */
  profile(): Promise<DispatchTiming[]>;
  dispose(): void;
}

export interface TimedRun {
  /** Wall time. */
  readonly milliseconds: number;
  /** The output as the plan stores it: channels-last, padded. */
  readonly values: Float32Array;
}

export interface WorkloadOptions {
  readonly model: Model;
  readonly inputs: Readonly<Record<string, Uint32Array | Float32Array>>;
  /** A named tensor of the last graph. */
  readonly output: string;
  readonly signal?: AbortSignal | undefined;
}

/** `graphs` compiled and their weights on the device, ready to be timed one after another. */
export async function openWorkload(
  context: EngineContext,
  graphs: readonly Graph[],
  { model, inputs, output, signal }: WorkloadOptions,
): Promise<Workload> {
  const buffers = new Buffers(context);
  const keep = (name: string): boolean => name === output;
  const runners: Runner[] = [];
  const dispose = (): void => {
    for (const runner of runners) runner.dispose();
    buffers.dispose();
  };
  try {
    for (const graph of graphs) {
      runners.push(await createRunner(context, graph, { model, keep, signal }));
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const run = async (profiler?: Profiler): Promise<void> => {
    for (const runner of runners) await runner.run(buffers, { profiler, signal });
  };
  const upload = async (): Promise<void> => {
    for (const [name, data] of Object.entries(inputs)) await buffers.write(name, data);
  };
  return {
    plans: runners.map(({ plan }) => plan),
    async run() {
      const start = performance.now();
      await upload();
      await run();
      const read = await readTensor(context.device, lastOf(runners).at(output, buffers));
      const milliseconds = performance.now() - start;
      return { milliseconds, values: valuesOf(read) };
    },
    async profile() {
      const profiler = createProfiler(context.device);
      try {
        await upload();
        await run(profiler);
        return await profiler.read();
      } finally {
        profiler.dispose();
      }
    },
    dispose,
  };
}

function lastOf(runners: readonly Runner[]): Runner {
  const last = runners.at(-1);
  if (!last) throw new Error('no graph to run');
  return last;
}

/** [1, side, side, 3→4] in [0, 1]: smooth waves, different in every channel. */
export function testImage(side: number): Float32Array<ArrayBuffer> {
  const image = new Float32Array(side * side * 4);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      for (let c = 0; c < 3; c++) {
        const wave = Math.sin((x * (c + 1)) / 9 + (y * y) / (40 * side)) * Math.cos(y / (5 + c));
        image[(y * side + x) * 4 + c] = 0.5 + 0.45 * wave;
      }
    }
  }
  return image;
}

// --- statistics -----------------------------------------------------------------------------------

export interface Spread {
  readonly p10: number;
  readonly median: number;
  readonly p90: number;
  readonly runs: number;
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    p10: quantile(sorted, 0.1),
    median: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    runs: sorted.length,
  };
}

/** Of ascending values, interpolated between neighbours. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at % 1);
}

/** Dispatch by dispatch the median over several profiled runs of one plan. */
export function medianTimings(profiles: readonly (readonly DispatchTiming[])[]): DispatchTiming[] {
  return (profiles[0] ?? []).map((timing, i) => ({
    ...timing,
    nanoseconds: spreadOf(profiles.map((profile) => profile[i]?.nanoseconds ?? 0)).median,
  }));
}

export interface TimingGroup {
  readonly key: string;
  readonly count: number;
  readonly milliseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

/** Sums by a key of each dispatch, longest first. */
export function groupTimings(
  timings: readonly DispatchTiming[],
  keyOf: (timing: DispatchTiming) => string,
): TimingGroup[] {
  const groups = new Map<string, TimingGroup>();
  for (const timing of timings) {
    const key = keyOf(timing);
    const old = groups.get(key) ?? { key, count: 0, milliseconds: 0, flops: 0, bytes: 0 };
    groups.set(key, {
      key,
      count: old.count + 1,
      milliseconds: old.milliseconds + timing.nanoseconds / 1e6,
      flops: old.flops + timing.flops,
      bytes: old.bytes + timing.bytes,
    });
  }
  return [...groups.values()].toSorted((a, b) => b.milliseconds - a.milliseconds);
}
