/**
 * Replays a Plan on a device.
 *
 *   createExecutor   leases slots, packs parameters, runs `plan.prepare` once
 *   run              binds the caller's buffers and replays `plan.dispatches`
 *
 * Work goes to the queue in submits of about `budgetMs` (submits.ts), one after another, so that the
 * owner's own frames interleave, aborting takes one submit and no watchdog fires. The next one is
 * encoded while the device works: between two it idles for as long as the news takes that one is done
 * (docs/decisions/0012).
 *
 *   host     encode 0 · submit 0 · encode 1 ┄┄ submit 1 · encode 2 ┄┄ …
 *   device              ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒     ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒     ▒
 *
 * Within a pass WebGPU orders dispatches by itself. Error scopes open and close between two awaits,
 * never across one: the device is somebody else's.
 */
import {
  type BoundPlan,
  bindDispatches,
  bindingsOf,
  type Externals,
  packPlanParams,
  resourceOf,
  slotRequests,
} from './binder.ts';
import type { EngineContext } from './context.ts';
import { expectWithin } from './device.ts';
import { inScope } from './error-scope.ts';
import { workDone, workMsOf } from './nudge.ts';
import type { Pipelines } from './pipelines.ts';
import { dispatchesOf, type Location, type Plan } from './plan.ts';
import type { ProfiledSubmit, Profiler } from './profiler.ts';
import { letGo } from './slices.ts';
import { adaptRate, nextCut, PACE } from './submits.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface RunOptions {
  /** A buffer with usage STORAGE for each of `plan.externals`; it may be larger than its tensor. */
  readonly externals: Externals;
  /**
   * Device time per submit: the longest that whatever else is submitted waits, and an abort. Less costs
   * time between submits. @default 8 on a GPU, 100 on a CPU adapter
   */
  readonly budgetMs?: number | undefined;
  /** Records the time of every dispatch, each in a pass of its own. */
  readonly profiler?: Profiler | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears of work, in the unit of submits.ts. */
  readonly onProgress?:
    | ((progress: { readonly done: number; readonly total: number }) => void)
    | undefined;
}

export interface Executor {
  /**
   * Resolves when the device has done the work; what the caller submits meanwhile runs between our
   * submits. Runs of one context queue up. After an abort or an error the executor is as before.
   */
  run(options: RunOptions): Promise<void>;
  /** What holds a tensor of the plan that is no external; a slot until the context's next run. */
  bufferOf(location: Location): GPUBuffer;
  /** Aborts a run under way and frees the slots; the weights stay. */
  dispose(): void;
}

/** `compiled` has the pipelines of the plan's kernels; the context has its weights. */
export async function createExecutor(
  context: EngineContext,
  plan: Plan,
  compiled: Pipelines,
  signal?: AbortSignal,
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

  const slots = await context.slots.lease(slotRequests(plan));
  await letGo();
  const packed = packPlanParams(
    dispatchesOf(plan),
    capabilities.limits.minUniformBufferOffsetAlignment,
  );
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
    await letGo();
    const body = bindDispatches(context, sources, plan.dispatches, plan.prepare.length);
    await context.exclusive(() => replay(context, prepare, { externals: {}, signal: stops }));

    return {
      run: (options) =>
        context.exclusive(() =>
          replay(context, body, { ...options, signal: stopsOf(options.signal) }),
        ),
      bufferOf: (location) => resourceOf(context, sources, location, 'a named tensor').buffer,
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

async function replay(
  context: EngineContext,
  bound: BoundPlan,
  { externals, signal, onProgress, budgetMs, profiler }: RunOptions & { signal: AbortSignal },
): Promise<void> {
  const { device, capabilities } = context;
  const pace = budgetMs ?? PACE[capabilities.family].budgetMs;
  const { work } = bound;
  const total = sumOf(work);
  let [next, done] = [0, 0];
  bound.use(externals);
  const encodeNext = (): Encoded | undefined => {
    if (next === work.length) return undefined;
    const start = next;
    next = nextCut(work, start, context.rate * pace);
    return encode(device, bound, { start, end: next }, profiler);
  };
  let encoded = encodeNext();
  while (encoded) {
    signal.throwIfAborted();
    const { work: share } = encoded;
    const startedAt = performance.now();
    const end = submit(device, encoded);
    encoded = encodeNext();
    const error = await unlessAborted(end, signal);
    if (error !== undefined) throw new Error(error);
    context.rate = adaptRate(context.rate, share, workMsOf(performance.now() - startedAt));
    done += share;
    onProgress?.({ done, total });
  }
}

const sumOf = (work: readonly number[]): number => work.reduce((sum, item) => sum + item, 0);

/** Some dispatches, ready for the queue. */
interface Encoded {
  readonly commands: GPUCommandBuffer;
  readonly work: number;
  /** Their layers, for messages. */
  readonly what: string;
  /** What WebGPU has against them. */
  readonly error: Promise<string | undefined>;
  readonly profiled: ProfiledSubmit | undefined;
}

function encode(
  device: GPUDevice,
  bound: BoundPlan,
  { start, end }: { readonly start: number; readonly end: number },
  profiler: Profiler | undefined,
): Encoded {
  const dispatches = bound.dispatches.slice(start, end);
  const profiled = profiler?.nextSubmit();
  const { result: commands, error } = inScope(device, 'validation', () => {
    const encoder = device.createCommandEncoder({ label: 'invsr' });
    if (profiled) {
      for (const [i, dispatch] of dispatches.entries()) {
        const timestampWrites = profiled.timestampsFor(dispatch);
        const pass = encoder.beginComputePass({ label: `invsr/${dispatch.path}`, timestampWrites });
        bound.encode(pass, start + i, start + i + 1);
        pass.end();
      }
    } else {
      const pass = encoder.beginComputePass({ label: 'invsr' });
      bound.encode(pass, start, end);
      pass.end();
    }
    return encoder.finish();
  });
  const what = [...new Set([dispatches.at(0)?.path, dispatches.at(-1)?.path])].join(' … ');
  return { commands, work: sumOf(bound.work.slice(start, end)), what, error, profiled };
}

/** Resolves to an error message or nothing when the device is done. */
function submit(
  device: GPUDevice,
  { commands, what, error, profiled }: Encoded,
): Promise<string | undefined> {
  const { error: refused } = inScope(device, 'validation', () => device.queue.submit([commands]));
  profiled?.submitted();
  const finished = workDone(device);
  const end = Promise.all([error, refused, finished]).then(([first, second]) => {
    const message = first ?? second;
    return message === undefined ? undefined : `${what}: ${message}`;
  });
  // After an abort nobody waits for it.
  end.catch(() => {});
  return end;
}
