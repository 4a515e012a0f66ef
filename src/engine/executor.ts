/**
 * Replays a Plan on a device.
 *
 *   createExecutor   compiles, leases slots, packs parameters, runs `plan.prepare` once
 *   run              binds the caller's buffers and replays `plan.dispatches`
 *
 * Work goes to the queue in submits of about `budgetMs` (submits.ts), at most two of them under way,
 * so that the owner's own frames interleave, aborting takes one submit and no watchdog fires. Within
 * a pass WebGPU orders dispatches by itself. Error scopes open and close between two awaits, never
 * across one: the device is somebody else's.
 */
import {
  type BoundPlan,
  bindDispatches,
  bindingsOf,
  type Externals,
  packPlanParams,
  slotRequests,
} from './binder.ts';
import type { EngineContext } from './context.ts';
import { expectWithin } from './device.ts';
import { closeScope } from './error-scope.ts';
import { byteLength } from './kernel.ts';
import type { Dispatch, Plan } from './plan.ts';
import type { Profiler } from './profiler.ts';
import { readBuffer } from './readback.ts';
import { adaptRate, nextCut, PACE } from './submits.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface Progress {
  /** `compile` counts pipelines, `run` work (submits.ts). */
  readonly phase: 'compile' | 'run';
  readonly done: number;
  readonly total: number;
}

export interface ExecutorOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface RunOptions extends ExecutorOptions {
  /** A buffer with usage STORAGE for each of `plan.externals`; it may be larger than its tensor. */
  readonly externals: Externals;
  /** Device time per submit. @default 8 on a GPU, 100 on a CPU adapter */
  readonly budgetMs?: number | undefined;
  /** Records the time of every dispatch, each in a pass of its own. */
  readonly profiler?: Profiler | undefined;
}

export interface Executor {
  /**
   * Resolves when the device has done the work; what the caller submits meanwhile runs between our
   * submits. Runs of one context queue up. After an abort or an error the executor is as before.
   */
  run(options: RunOptions): Promise<void>;
  /** Content of a tensor of `plan.named` that is no external, until the context's next run. */
  read(name: string): Promise<ArrayBuffer>;
  /** Aborts a run under way and frees the slots; the weights stay. */
  dispose(): void;
}

const MAX_IN_FLIGHT = 2;

export async function createExecutor(
  context: EngineContext,
  plan: Plan,
  { signal, onProgress }: ExecutorOptions = {},
): Promise<Executor> {
  const { device, capabilities, allocator } = context;
  const disposed = new AbortController();
  const stopsOf = (other: AbortSignal | undefined): AbortSignal =>
    AbortSignal.any([context.lost, disposed.signal, ...(other ? [other] : [])]);
  const stops = stopsOf(signal);
  stops.throwIfAborted();
  for (const binding of bindingsOf(plan)) {
    expectWithin(capabilities, 'maxStorageBufferBindingSize', binding);
  }
  const dispatches = [...plan.prepare, ...plan.dispatches];
  const compiled = await context.pipelines.compile(dispatches, {
    signal: stops,
    onProgress: onProgress && ((done, total) => onProgress({ phase: 'compile', done, total })),
  });

  const slots = await context.slots.lease(slotRequests(plan));
  const packed = packPlanParams(dispatches, capabilities.limits.minUniformBufferOffsetAlignment);
  const [params] = await allocator
    .create([
      {
        label: 'params',
        bytes: packed.bytes.byteLength,
        usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      },
    ])
    .catch((error: unknown) => {
      slots.release();
      throw error;
    });
  if (!params) throw new Error('no params buffer');
  device.queue.writeBuffer(params, 0, packed.bytes);

  function dispose(): void {
    if (disposed.signal.aborted) return;
    disposed.abort(new Error('the executor was disposed of'));
    slots.release();
    if (params) allocator.destroy(params);
  }

  try {
    const sources = { plan, slots, params, ranges: packed.ranges, compiled };
    const prepare = bindDispatches(context, sources, plan.prepare, 0);
    const body = bindDispatches(context, sources, plan.dispatches, plan.prepare.length);
    await context.exclusive(() => replay(context, prepare, { externals: {}, signal: stops }));

    return {
      run: (options) =>
        context.exclusive(() =>
          replay(context, body, { ...options, signal: stopsOf(options.signal) }),
        ),
      async read(name) {
        const tensor = plan.named[name];
        if (!tensor) throw new Error(`the plan has no tensor named ${name}`);
        const { location, type } = tensor;
        if (location.kind === 'external') throw new Error(`${name} is the caller's buffer`);
        const weight = location.kind === 'weight' ? plan.weights[location.index] : undefined;
        const buffer = weight ? context.weights.at(weight) : slots.buffers[location.index];
        if (!buffer) throw new Error(`${name}: the plan has no ${location.kind} ${location.index}`);
        return readBuffer(device, buffer, byteLength(type));
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

interface Submitted {
  readonly work: number;
  readonly startedAt: number;
  /** Resolves to an error message or nothing when the device is done. */
  readonly done: Promise<string | undefined>;
}

async function replay(
  context: EngineContext,
  bound: BoundPlan,
  { externals, signal, onProgress, budgetMs, profiler }: RunOptions & { signal: AbortSignal },
): Promise<void> {
  const pace = budgetMs ?? PACE[context.capabilities.family].budgetMs;
  const { work } = bound;
  const total = work.reduce((sum, item) => sum + item, 0);
  const inFlight: Submitted[] = [];
  let next = 0;
  let done = 0;
  let lastDoneAt = 0;
  bound.use(externals);
  while (next < work.length || inFlight.length > 0) {
    signal.throwIfAborted();
    if (next < work.length && inFlight.length < MAX_IN_FLIGHT) {
      const end = nextCut(work, next, context.rate * pace);
      inFlight.push(submit(context.device, bound, { start: next, end }, profiler));
      next = end;
      continue;
    }
    const oldest = inFlight.shift();
    if (!oldest) break;
    const error = await unlessAborted(oldest.done, signal);
    if (error !== undefined) throw new Error(error);
    const now = performance.now();
    const milliseconds = now - Math.max(oldest.startedAt, lastDoneAt);
    lastDoneAt = now;
    context.rate = adaptRate(context.rate, oldest.work, milliseconds);
    done += oldest.work;
    onProgress?.({ phase: 'run', done, total });
  }
}

function submit(
  device: GPUDevice,
  bound: BoundPlan,
  { start, end }: { readonly start: number; readonly end: number },
  profiler: Profiler | undefined,
): Submitted {
  const dispatches = bound.dispatches.slice(start, end);
  device.pushErrorScope('validation');
  let scope: Promise<string | undefined>;
  try {
    const encoder = device.createCommandEncoder({ label: 'invsr' });
    if (profiler) {
      profiler.nextSubmit();
      for (const [i, dispatch] of dispatches.entries()) {
        const timestampWrites = profiler.timestampsFor(dispatch);
        const pass = encoder.beginComputePass({ label: `invsr/${dispatch.path}`, timestampWrites });
        bound.encode(pass, start + i, start + i + 1);
        pass.end();
      }
    } else {
      const pass = encoder.beginComputePass({ label: 'invsr' });
      bound.encode(pass, start, end);
      pass.end();
    }
    device.queue.submit([encoder.finish()]);
  } finally {
    scope = closeScope(device);
  }
  const finished = device.queue.onSubmittedWorkDone();
  const done = Promise.all([scope, finished]).then(([error]) =>
    error === undefined ? undefined : `${describe(dispatches)}: ${error}`,
  );
  // After an abort nobody waits for it.
  done.catch(() => {});
  return {
    work: bound.work.slice(start, end).reduce((sum, item) => sum + item, 0),
    startedAt: performance.now(),
    done,
  };
}

const describe = (dispatches: readonly Dispatch[]): string =>
  [...new Set([dispatches.at(0)?.path, dispatches.at(-1)?.path])].join(' … ');
