/** A graph made runnable: lowered, its weights uploaded, its pipelines compiled. */
import type { EngineContext } from '../engine/context.ts';
import { targetOf } from '../engine/device.ts';
import { createExecutor } from '../engine/executor.ts';
import type { Plan } from '../engine/plan.ts';
import type { Profiler } from '../engine/profiler.ts';
import { readBuffer } from '../engine/readback.ts';
import { byteLength, type TensorType } from '../engine/kernel.ts';
import type { Graph } from '../graph/graph.ts';
import { type LoadOptions, loadWeights, type WeightSource } from '../graph/load-weights.ts';
import { lower } from '../graph/lower.ts';
import { toSingle } from '../weights/half.ts';
import type { Buffers } from './buffers.ts';

export interface StageProgress {
  readonly stage: 'load' | 'compile' | 'run';
  /** Bytes of weights, pipelines, or work in the executor's unit. `load` and `compile` overlap. */
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

/** `model` holds the weights the graph names; `keep` tells which named tensors can be read. */
export async function createRunner(
  context: EngineContext,
  graph: Graph,
  {
    model,
    keep = () => false,
    signal,
    onProgress,
  }: RunnerOptions & {
    readonly model?: WeightSource | undefined;
    readonly keep?: (name: string) => boolean;
  } = {},
): Promise<Runner> {
  const plan = lower(graph, targetOf(context.capabilities), { keep });
  if (model) context.weights.claim(model);
  const report =
    onProgress &&
    ((stage: StageProgress['stage']) => (done: number, total: number) =>
      onProgress({ stage, done, total }));
  // Pipelines compile while weights are read.
  await allOrNone(signal, (stops) => [
    load(context, plan, model, { signal: stops, onProgress: report?.('load') }),
    context.pipelines.compile([...plan.prepare, ...plan.dispatches], {
      signal: stops,
      onProgress: report?.('compile'),
    }),
  ]);
  const executor = await createExecutor(context, plan, { signal });
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

async function load(
  context: EngineContext,
  { weights }: Plan,
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
