/** A graph made runnable: lowered, its weights uploaded, its pipelines compiled. */
import type { EngineContext } from '../engine/context.ts';
import { type Capabilities, targetOf } from '../engine/device.ts';
import { createExecutor } from '../engine/executor.ts';
import type { Plan } from '../engine/plan.ts';
import type { Profiler } from '../engine/profiler.ts';
import { readBuffer } from '../engine/readback.ts';
import { byteLength, type TensorType } from '../engine/kernel.ts';
import type { Graph } from '../graph/graph.ts';
import { lower } from '../graph/lower.ts';
import { toSingle } from '../weights/half.ts';
import type { Buffers } from './buffers.ts';
import type { Model } from './model.ts';

export interface StageProgress {
  readonly stage: 'load' | 'compile' | 'run';
  /** Weights, pipelines, or work in the executor's unit. */
  readonly done: number;
  readonly total: number;
}

export interface RunnerOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: StageProgress) => void) | undefined;
  readonly profiler?: Profiler | undefined;
}

/** A tensor read back, as the plan stores it: channels-last, channels padded. */
interface ReadTensor {
  readonly bytes: ArrayBuffer;
  readonly type: TensorType;
}

export interface Runner {
  readonly plan: Plan;
  run(buffers: Buffers, options?: RunnerOptions): Promise<void>;
  /** Content of a named tensor of the last run. */
  read(name: string, buffers: Buffers): Promise<ReadTensor>;
  dispose(): void;
}

/** The values of an f16 or f32 tensor. */
export const valuesOf = ({ bytes, type }: ReadTensor): Float32Array<ArrayBuffer> =>
  type.dtype === 'f16' ? toSingle(new Uint16Array(bytes)) : new Float32Array(bytes);

interface CreateOptions extends RunnerOptions {
  /** Holds the weights that the graph names. */
  readonly model?: Pick<Model, 'readWeight'> | undefined;
}

interface PlanOptions {
  /** Which named tensors can be read. @default none */
  readonly keep?: ((name: string) => boolean) | undefined;
}

/** A plan for this device: its kernels, and bindings within its limits. */
export function planFor(
  capabilities: Capabilities,
  graph: Graph,
  { keep = () => false }: PlanOptions = {},
): Plan {
  const maxBindingBytes = capabilities.limits.maxStorageBufferBindingSize;
  return lower(graph, targetOf(capabilities), { keep, maxBindingBytes });
}

export function createRunner(
  context: EngineContext,
  graph: Graph,
  { keep, ...options }: CreateOptions & PlanOptions = {},
): Promise<Runner> {
  return runnerOf(context, planFor(context.capabilities, graph, { keep }), options);
}

/** The same for a plan made for this context's device. */
export async function runnerOf(
  context: EngineContext,
  plan: Plan,
  { model, signal, onProgress }: CreateOptions = {},
): Promise<Runner> {
  if (model) context.weights.claim(model);
  const missing = plan.weights.filter((weight) => !context.weights.has(weight));
  for (const [i, weight] of missing.entries()) {
    signal?.throwIfAborted();
    if (!model) throw new Error(`the graph needs weight ${weight.key}, but there is no model`);
    await context.weights.upload(weight, await model.readWeight(weight, signal));
    onProgress?.({ stage: 'load', done: i + 1, total: missing.length });
  }
  const executor = await createExecutor(context, plan, {
    signal,
    onProgress: onProgress && (({ done, total }) => onProgress({ stage: 'compile', done, total })),
  });
  return {
    plan,
    run: async (buffers, options = {}) =>
      executor.run({
        externals: await buffers.for(plan),
        signal: options.signal,
        profiler: options.profiler,
        onProgress:
          options.onProgress &&
          (({ done, total }) => options.onProgress?.({ stage: 'run', done, total })),
      }),
    read: async (name, buffers) => {
      const named = plan.named[name];
      if (!named) throw new Error(`the plan has no tensor named ${name}`);
      const { location, type } = named;
      const bytes =
        location.kind === 'external'
          ? await readBuffer(context.device, buffers.at(location.name), byteLength(type))
          : await executor.read(name);
      return { bytes, type };
    },
    dispose: () => executor.dispose(),
  };
}
