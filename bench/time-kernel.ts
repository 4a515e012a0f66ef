/**
 * Time of one kernel alone on a device: inputs rotate (dispatches.ts), warm-up until stable and number
 * of samples as in sampling.ts, time by the device's clock (clock.ts). Never a figure of work that
 * WebGPU refused: a dispatch with a validation error is an error here, not a very fast one.
 */
import type { EngineContext } from '../src/engine/context.ts';
import type { Kernel } from '../src/engine/kernel.ts';
import type { Spread } from '../src/invsr/measure.ts';
import { batchMilliseconds } from './clock.ts';
import { type Dispatches, type DispatchesOptions, openDispatches } from './dispatches.ts';
import type { ClockFacts } from './record.ts';
import { sample } from './sampling.ts';
import { type Step, stepOf } from './steps.ts';
import { openTimestamps } from './timestamps.ts';

export interface TimingOptions extends DispatchesOptions {
  readonly clock: ClockFacts;
  readonly samples: number;
  /** @default 3 */
  readonly seconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Passes with timestamps in one submit. */
const MAX_PASSES = 64;

/** A kernel by itself, over inputs of its bindings' names. */
export const timeKernel = (
  context: EngineContext,
  kernel: Kernel,
  options: TimingOptions,
): Promise<Spread> => timeSteps(context, [stepOf(kernel)], options);

/** All steps of a case as one. */
export async function timeSteps(
  context: EngineContext,
  steps: readonly Step[],
  options: TimingOptions,
): Promise<Spread> {
  const { clock, samples, seconds = 3, signal } = options;
  const { device } = context;
  const work = await checked(device, steps, () => openDispatches(context, steps, options));
  const timestamps = clock.kind === 'wall-batches' ? undefined : openTimestamps(device, MAX_PASSES);
  const takeWith = timersOf(device, work);
  const take = async (count: number): Promise<number[]> => {
    signal?.throwIfAborted();
    context.lost.throwIfAborted();
    if (!timestamps) return [await takeWith.wall(count)];
    return clock.kind === 'timestamps'
      ? takeWith.each(timestamps, Math.min(count, MAX_PASSES))
      : takeWith.batch(timestamps, count);
  };
  try {
    await checked(device, steps, () => takeWith.wall(1));
    const spread = await sample(take, {
      samples,
      seconds,
      batchMilliseconds: batchMilliseconds(clock),
      now: () => performance.now(),
    });
    if (spread.median > 0) return spread;
    throw new Error('too short for the clock of this device');
  } finally {
    timestamps?.dispose();
    work.dispose();
  }
}

type Timestamps = ReturnType<typeof openTimestamps>;

function timersOf(device: GPUDevice, work: Dispatches) {
  const submit = (fill: (encoder: GPUCommandEncoder) => void): void => {
    const encoder = device.createCommandEncoder({ label: 'invsr/bench' });
    fill(encoder);
    device.queue.submit([encoder.finish()]);
  };
  const passOver = (
    encoder: GPUCommandEncoder,
    count: number,
    timestampWrites?: GPUComputePassTimestampWrites,
  ): void => {
    const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
    work.encode(pass, count);
    pass.end();
  };
  return {
    /** Milliseconds of each of `count` dispatches, all in passes of their own. */
    async each(timestamps: Timestamps, count: number): Promise<number[]> {
      submit((encoder) => {
        for (let i = 0; i < count; i++) passOver(encoder, 1, timestamps.writesFor(i));
      });
      const found = (await timestamps.milliseconds(count)).filter((time) => time !== undefined);
      if (found.length === 0) throw new Error("the device's timestamps stand still");
      return found;
    },
    /** Milliseconds of one of `count` dispatches in a pass; 0 where they are less than a step. */
    async batch(timestamps: Timestamps, count: number): Promise<number[]> {
      submit((encoder) => passOver(encoder, count, timestamps.writesFor(0)));
      const [time = 0] = await timestamps.milliseconds(1);
      return [time / count];
    },
    async wall(count: number): Promise<number> {
      const start = performance.now();
      submit((encoder) => passOver(encoder, count));
      await device.queue.onSubmittedWorkDone();
      return (performance.now() - start) / count;
    },
  };
}

/** What `action` starts, with WebGPU's errors heard. The scope is not held while others submit: a bench has the device for itself. */
async function checked<T>(
  device: GPUDevice,
  [step]: readonly Step[],
  action: () => Promise<T>,
): Promise<T> {
  device.pushErrorScope('validation');
  let scope: Promise<GPUError | null> | undefined;
  try {
    const done = await action();
    scope = device.popErrorScope();
    const error = await scope;
    if (error) throw new Error(`${step?.kernel.name} ${step?.kernel.variant}: ${error.message}`);
    return done;
  } finally {
    if (!scope) await device.popErrorScope().catch(() => null);
  }
}
