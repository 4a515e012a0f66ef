/**
 * The plans of the networks (tile-graph.ts) for batches of tiles, and what follows from them before
 * anything is on the device: memory, and each network's share of the work.
 *
 * A plan is made once for its stage, batch and kind of noise. Where a check found a stage out of f16's
 * range (stage-precision.ts), its next plan is in f32.
 */
import type { EngineContext } from '../engine/context.ts';
import { type Plan, slotBytes, totalFlops } from '../engine/plan.ts';
import { onDemand } from '../engine/on-demand.ts';
import { atOnce, inSlices, whenLoaded, type Work } from '../engine/slices.ts';
import type { Buffers } from './buffers.ts';
import type { FrameMemory, MemoryPlan, StagePlan } from './memory-plan.ts';
import type { Model } from './model.ts';
import { planning, type Runner } from './runner.ts';
import { type PrecisionWarning, StagePrecision } from './stage-precision.ts';
import { type Stage, stageGraph, STAGES, type TileGraphOptions } from './tile-graph.ts';
import { LOW_MEMORY_TILES } from './upscale-settings.ts';

export interface TilePlanOptions extends Omit<TileGraphOptions, 'batch' | 'noise'> {
  /** One network at a time on the device. */
  readonly lowMemory: boolean;
  /** Activations in bands. @default true */
  readonly compact?: boolean;
  /** Looks for NaN and Infinity after every layer. @default false */
  readonly check?: boolean;
}

/** Reads what a runner holds after a run; `prefix` goes before the tensors' names. */
export type DumpStage = (runner: Runner, buffers: Buffers, prefix: string) => Promise<void>;

export interface TileKind {
  readonly noise: TileGraphOptions['noise'];
  /** Is given every stage that has run; its named tensors, called `call<k>.<name>`, can be read. */
  readonly dump?: DumpStage | undefined;
}

/** What `check` calls for. */
export const watching = onDemand(
  'the look for NaN and Infinity',
  () => import('../graph/watch.ts'),
);

export class TilePlans {
  readonly #context: EngineContext;
  readonly #model: Model;
  readonly #options: TilePlanOptions;
  readonly #precision: StagePrecision;
  readonly #plans = new Map<string, Plan>();

  constructor(context: EngineContext, model: Model, options: TilePlanOptions) {
    this.#context = context;
    this.#model = model;
    this.#options = options;
    this.#precision = new StagePrecision(options.precision);
  }

  /** The stage's plan for `batch` tiles. NotLoadedError: `ahead` waits for code, this does not. */
  of(stage: Stage, batch: number, kind: TileKind): Plan {
    return atOnce(this.#planning(stage, batch, kind));
  }

  /** All stages', the largest slots first: the others then find room in them. */
  all(batch: number, kind: TileKind): readonly StagePlan[] {
    const plans = STAGES.map((stage) => ({ stage, plan: this.of(stage, batch, kind) }));
    return plans.toSorted((a, b) => slotBytes(b.plan) - slotBytes(a.plan));
  }

  /** Makes all stages' with pauses: those of large networks take a page's thread too long. */
  async ahead(batch: number, kind: TileKind, signal?: AbortSignal): Promise<void> {
    for (const stage of STAGES) await inSlices(this.#planning(stage, batch, kind), signal);
  }

  *#planning(stage: Stage, batch: number, { noise, dump }: TileKind): Work<Plan> {
    const precision = this.#precision.of(stage);
    const key = `${stage} ${precision} ${batch} ${noise} ${dump !== undefined}`;
    const known = this.#plans.get(key);
    if (known) return known;
    const options = { ...this.#options, precision, batch, noise };
    const graph = yield* whenLoaded(() => stageGraph(stage, this.#model, options));
    yield;
    const planned = yield* planning(this.#context, graph, {
      keep: () => dump !== undefined,
      compact: this.#options.compact,
    });
    const plan = this.#options.check
      ? yield* whenLoaded(() => watching.get().watch(planned, this.#context.target))
      : planned;
    // Another call may have made it meanwhile, and networks know their runners by it.
    const kept = this.#plans.get(key) ?? plan;
    this.#plans.set(key, kept);
    return kept;
  }

  /** From now on the stage's plans are in f32; NonFiniteError where they are already. */
  widen(stage: Stage, layer: string): PrecisionWarning {
    return this.#precision.widen(stage, layer, this.#model.name);
  }

  /** What `tiles` tiles in batches of `batch` will take, by default the most that wait together; with a frame around them. */
  async memory(
    batch: number,
    tiles = Math.max(batch, LOW_MEMORY_TILES),
    frame?: FrameMemory,
  ): Promise<MemoryPlan> {
    const { planTiles } = await import('./memory-plan.ts');
    const { minUniformBufferOffsetAlignment: alignment } = this.#context.capabilities.limits;
    return planTiles(this, { ...this.#options, tileBatch: batch, tiles, alignment, frame });
  }

  /** What a stage takes of a tile's floating point operations. */
  share(stage: Stage, batch: number, kind: TileKind): number {
    const flops = (of: Stage): number => totalFlops(this.of(of, batch, kind).dispatches);
    return flops(stage) / STAGES.reduce((sum, of) => sum + flops(of), 0);
  }
}
