/**
 * Which clock a device has, and how long work must be for it.
 *
 * GPU timestamps may be absent, may stand still, or may be rounded: browsers to 100 µs, Dawn's toggle
 * timestamp_quantization to 65,536 ns. A rounded clock, and the host's, measure batches as a whole, of
 * at least 2 ms and 20 of the clock's steps, so that one step is at most 5 % of a figure.
 */
import type { EngineContext } from '../src/engine/context.ts';
import type { ClockFacts } from './record.ts';
import { spinKernel } from './spin-kernel.ts';
import { openDispatches } from './dispatches.ts';
import { stepOf } from './steps.ts';
import { openTimestamps } from './timestamps.ts';

export interface Clock extends ClockFacts {
  /** A sentence for people where it is not the best clock. */
  readonly why?: string;
}

/** Known roundings, coarser first. */
const QUANTA = [100_000, 65_536] as const;

const BATCH_MS = 2;
const QUANTA_PER_BATCH = 20;

/** Shortest batch that the clock can tell apart from another 5 % longer. */
export const batchMilliseconds = ({ kind, quantumNanoseconds }: ClockFacts): number =>
  kind === 'timestamps' ? 0 : Math.max(BATCH_MS, (QUANTA_PER_BATCH * quantumNanoseconds) / 1e6);

/**
 * The step of a clock that gave these readings, in nanoseconds: 0 where it is finer than any that is
 * known, undefined where it stands still and so is none.
 */
export function quantumOf(readings: readonly bigint[]): number | undefined {
  const [first = 0n, ...others] = readings;
  const deltas = others.map((time) => time - first);
  if (deltas.every((delta) => delta === 0n)) return undefined;
  return QUANTA.find((quantum) => deltas.every((delta) => delta % BigInt(quantum) === 0n)) ?? 0;
}

/** Work of different lengths, so that exact clocks do not happen to read whole steps. */
const PROBES = 16;

export async function openClock(context: EngineContext): Promise<Clock> {
  const { device, capabilities } = context;
  if (!capabilities.features.includes('timestamp-query')) {
    return hostClock(context, 'the device has no timestamps');
  }
  const work = await openDispatches(context, [stepOf(spinKernel(context.target))], {});
  const timestamps = openTimestamps(device, PROBES);
  try {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < PROBES; i++) {
      const pass = encoder.beginComputePass({ timestampWrites: timestamps.writesFor(i) });
      work.encode(pass, i + 1);
      pass.end();
    }
    device.queue.submit([encoder.finish()]);
    const quantumNanoseconds = quantumOf(await timestamps.readings(PROBES));
    if (quantumNanoseconds === undefined) {
      return await hostClock(context, "the device's timestamps stand still");
    }
    if (quantumNanoseconds === 0) return { kind: 'timestamps', quantumNanoseconds };
    return {
      kind: 'timestamp-batches',
      quantumNanoseconds,
      why: `the device rounds timestamps to ${quantumNanoseconds / 1000} µs: batches are timed as a whole`,
    };
  } finally {
    timestamps.dispose();
    work.dispose();
  }
}

const SUBMITS = 15;

/** Its step is what a submit without work takes: less than that is not the work's time. */
async function hostClock({ device }: EngineContext, reason: string): Promise<Clock> {
  const times: number[] = [];
  for (let i = 0; i < SUBMITS; i++) {
    const start = performance.now();
    device.queue.submit([device.createCommandEncoder().finish()]);
    await device.queue.onSubmittedWorkDone();
    times.push(performance.now() - start);
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(SUBMITS / 2)] ?? 0;
  return {
    kind: 'wall-batches',
    quantumNanoseconds: Math.round(1e6 * median),
    why: `${reason}: batches are timed by the host's clock, submission and wake-up included`,
  };
}
