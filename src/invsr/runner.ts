/** A graph made runnable: lowered, its weights uploaded, its pipelines compiled. */
import type { EngineContext } from '../engine/context.ts';
import { createExecutor } from '../engine/executor.ts';
import type { Plan, PlanWeight } from '../engine/plan.ts';
import type { Profiler } from '../engine/profiler.ts';
import type { TensorType } from '../engine/kernel.ts';
import { inSlices, letGo, type Work } from '../engine/slices.ts';
import type { Graph } from '../graph/graph.ts';
import { type LoadOptions, loadWeights } from '../graph/load-weights.ts';
import { lowering } from '../graph/lower.ts';
import type { WeightSource } from '../graph/weight-source.ts';
import type { Buffers } from './buffers.ts';

export interface StageProgress {
  readonly stage: 'load' | 'compile' | 'run';
  /** Bytes of weights, pipelines, or work in the executor's unit. `load` and `compile` overlap. */
  readonly done: number;
  readonly total: number;
}

export interface RunnerOptions {
  readonly signal?: AbortSignal | undefined;
  /** Device time per submit (engine/executor.ts). */
  readonly budgetMs?: number | undefined;
  readonly onProgress?: ((progress: StageProgress) => void) | undefined;
  readonly profiler?: Profiler | undefined;
}

/** A tensor on the device as the plan stores it: channels-last, channels padded. read-tensor.ts reads it. */
export interface HeldTensor {
  readonly buffer: GPUBuffer;
  readonly type: TensorType;
}

export interface Runner {
  readonly plan: Plan;
  run(buffers: Buffers, options?: RunnerOptions): Promise<void>;
  /** A named tensor of the last run. */
  at(name: string, buffers: Buffers): HeldTensor;
  dispose(): void;
}

interface CreateOptions extends RunnerOptions {
  /** Holds the weights that the graph names. */
  readonly model?: WeightSource | undefined;
}

interface PlanOptions {
  /** Which named tensors can be read. @default none */
  readonly keep?: ((name: string) => boolean) | undefined;
  /** Large tensors in bands, for less memory. @default true */
  readonly compact?: boolean | undefined;
}

/** A plan for this device: its kernels, and bindings within its limits. */
export const planFor = (
  context: Pick<EngineContext, 'target' | 'capabilities'>,
  graph: Graph,
  { signal, ...options }: PlanOptions & Pick<RunnerOptions, 'signal'> = {},
): Promise<Plan> => inSlices(planning(context, graph, options), signal);

/** The same in steps (engine/slices.ts). */
export function planning(
  { target, capabilities }: Pick<EngineContext, 'target' | 'capabilities'>,
  graph: Graph,
  { keep = () => false, compact = true }: PlanOptions = {},
): Work<Plan> {
  const maxBindingBytes = capabilities.limits.maxStorageBufferBindingSize;
  return lowering(graph, target, { keep, maxBindingBytes, compact });
}

export async function createRunner(
  context: EngineContext,
  graph: Graph,
  { keep, compact, ...options }: CreateOptions & PlanOptions = {},
): Promise<Runner> {
  const plan = await planFor(context, graph, { keep, compact, signal: options.signal });
  return runnerOf(context, plan, options);
}

/** The same for a plan made for this context's device. */
export async function runnerOf(
  context: EngineContext,
  plan: Plan,
  { model, signal, onProgress }: CreateOptions = {},
): Promise<Runner> {
  await loadAndCompile(context, [plan], { model, signal, onProgress });
  const executor = await createExecutor(context, plan, { signal });
  return {
    plan,
    run: async (buffers, options = {}) =>
      executor.run({
        externals: await buffers.for(plan),
        signal: options.signal,
        budgetMs: options.budgetMs,
        profiler: options.profiler,
        onProgress:
          options.onProgress &&
          (({ done, total }) => options.onProgress?.({ stage: 'run', done, total })),
      }),
    at: (name, buffers) => {
      const named = plan.named[name];
      if (!named) throw new Error(`the plan has no tensor named ${name}`);
      const { location, type } = named;
      const isExternal = location.kind === 'external';
      return { buffer: isExternal ? buffers.at(location.name) : executor.bufferOf(name), type };
    },
    dispose: () => executor.dispose(),
  };
}

/**
 * Loads the weights of some plans, in the order of their files, and compiles their pipelines
 * meanwhile: runners are made at once afterwards.
 */
export async function loadAndCompile(
  context: EngineContext,
  plans: readonly Plan[],
  { model, signal, onProgress }: CreateOptions = {},
): Promise<void> {
  if (model) context.weights.claim(model);
  const report =
    onProgress &&
    ((stage: StageProgress['stage']) => (done: number, total: number) =>
      onProgress({ stage, done, total }));
  const weights = plans.flatMap((plan) => plan.weights);
  const dispatches = plans.flatMap((plan) => [...plan.prepare, ...plan.dispatches]);
  await letGo();
  await allOrNone(signal, (stops) => [
    load(context, weights, model, { signal: stops, onProgress: report?.('load') }),
    context.pipelines.compile(dispatches, { signal: stops, onProgress: report?.('compile') }),
  ]);
}

async function load(
  context: EngineContext,
  weights: readonly PlanWeight[],
  model: WeightSource | undefined,
  options: LoadOptions,
): Promise<void> {
  const [missing] = weights.filter((weight) => !context.weights.has(weight));
  if (!missing) return;
  if (!model) throw new Error(`the graph needs weight ${missing.key}, but there is no model`);
  await loadWeights(context, weights, model, options);
}

/**
 * Waits until all of them have settled; the first that fails aborts the others, and its error is the
 * one thrown.
 */
async function allOrNone(
  signal: AbortSignal | undefined,
  start: (signal: AbortSignal) => readonly Promise<unknown>[],
): Promise<void> {
  const failed = new AbortController();
  const works = start(AbortSignal.any([failed.signal, ...(signal ? [signal] : [])]));
  for (const work of works) work.catch((error: unknown) => failed.abort(error));
  await Promise.allSettled(works);
  signal?.throwIfAborted();
  failed.signal.throwIfAborted();
}
