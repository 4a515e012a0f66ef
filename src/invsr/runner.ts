/**
 * A graph made runnable, in three steps:
 *
 *   planning         graph → plan, for this device
 *   loadAndCompile   weights uploaded and pipelines compiled, of several plans at once
 *   runnerOf         slots, and what the plan computes once
 */
import type { EngineContext } from '../engine/context.ts';
import { createExecutor, type RunOptions } from '../engine/executor.ts';
import type { TensorType } from '../engine/kernel.ts';
import type { Pipelines } from '../engine/pipelines.ts';
import { dispatchesOf, type Plan, type PlanWeight } from '../engine/plan.ts';
import { inSlices, letGo, type Work } from '../engine/slices.ts';
import type { Graph } from '../graph/graph.ts';
import { type LoadOptions, loadWeights } from '../graph/load-weights.ts';
import { lowering } from '../graph/lower.ts';
import type { WeightSource } from '../graph/weight-source.ts';
import type { Buffers } from './buffers.ts';

export interface LoadProgress {
  /** `load` counts bytes of weights, `compile` pipelines, both at once. */
  readonly stage: 'load' | 'compile';
  readonly done: number;
  readonly total: number;
}

/** A tensor on the device as the plan stores it: channels-last, channels padded. read-tensor.ts reads it. */
export interface HeldTensor {
  readonly buffer: GPUBuffer;
  readonly type: TensorType;
}

export interface Runner {
  readonly plan: Plan;
  run(buffers: Buffers, options?: Omit<RunOptions, 'externals'>): Promise<void>;
  /** A named tensor of the last run. */
  at(name: string, buffers: Buffers): HeldTensor;
  dispose(): void;
}

interface CreateOptions {
  /** Holds the weights that the graph names. */
  readonly model?: WeightSource | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

interface PlanOptions {
  /** Which named tensors can be read. @default none */
  readonly keep?: ((name: string) => boolean) | undefined;
  /** Large tensors in bands, for less memory. @default true */
  readonly compact?: boolean | undefined;
}

/** All three. */
export async function createRunner(
  context: EngineContext,
  graph: Graph,
  { keep, compact, ...options }: CreateOptions & PlanOptions = {},
): Promise<Runner> {
  const plan = await inSlices(planning(context, graph, { keep, compact }), options.signal);
  const compiled = await loadAndCompile(context, [plan], options);
  return runnerOf(context, plan, compiled, options.signal);
}

/** A plan for this device, with bindings within its limits; in steps (engine/slices.ts). */
export function planning(
  { target, capabilities }: Pick<EngineContext, 'target' | 'capabilities'>,
  graph: Graph,
  { keep = () => false, compact = true }: PlanOptions = {},
): Work<Plan> {
  const maxBindingBytes = capabilities.limits.maxStorageBufferBindingSize;
  return lowering(graph, target, { keep, maxBindingBytes, compact });
}

/** `compiled` is `loadAndCompile`'s, of this plan and maybe others. */
export async function runnerOf(
  context: EngineContext,
  plan: Plan,
  compiled: Pipelines,
  signal?: AbortSignal,
): Promise<Runner> {
  const executor = await createExecutor(context, plan, compiled, signal);
  return {
    plan,
    run: async (buffers, options) =>
      executor.run({ ...options, externals: await buffers.for(plan) }),
    at: (name, buffers) => {
      const named = plan.named[name];
      if (!named) throw new Error(`the plan has no tensor named ${name}`);
      const { location, type } = named;
      const isExternal = location.kind === 'external';
      const buffer = isExternal ? buffers.at(location.name) : executor.bufferOf(location);
      return { buffer, type };
    },
    dispose: () => executor.dispose(),
  };
}

/**
 * Loads the weights of some plans, in the order of their files, and compiles their pipelines meanwhile.
 * Ends with nothing under way: the first of both that fails aborts the other, and its error is the one
 * thrown.
 */
export async function loadAndCompile(
  context: EngineContext,
  plans: readonly Plan[],
  { model, signal, onProgress }: CreateOptions = {},
): Promise<Pipelines> {
  if (model) context.weights.claim(model);
  const report =
    onProgress &&
    ((stage: LoadProgress['stage']) => (done: number, total: number) =>
      onProgress({ stage, done, total }));
  const weights = plans.flatMap((plan) => plan.weights);
  const dispatches = plans.flatMap(dispatchesOf);
  await letGo();
  const failed = new AbortController();
  const stops = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])]);
  const loaded = load(context, weights, model, { signal: stops, onProgress: report?.('load') });
  const options = { signal: stops, onProgress: report?.('compile') };
  const compiled = context.pipelines.compile(dispatches, options);
  for (const work of [loaded, compiled]) work.catch((error: unknown) => failed.abort(error));
  await Promise.allSettled([loaded, compiled]);
  signal?.throwIfAborted();
  failed.signal.throwIfAborted();
  return compiled;
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
