/**
 * The networks for batches of tiles, stage by stage (tile-graph.ts).
 *
 * Resident: the plans and weights of all stages stay on the device, and each batch passes all of
 * them. Low memory: one stage at a time; a group of batches passes a stage before its weights and
 * buffers make room for the next one's.
 *
 * Checked: every stage says which of its layers gave NaN or Infinity first. In f16 that is what an
 * activation too large for it gives, so the stage is built anew in f32 and goes on so.
 */
import type { EngineContext } from '../engine/context.ts';
import { byteLength } from '../engine/kernel.ts';
import { type Plan, slotBytes, totalFlops } from '../engine/plan.ts';
import { onDemand } from '../engine/on-demand.ts';
import { atOnce, inSlices, whenLoaded, type Work } from '../engine/slices.ts';
import { Buffers } from './buffers.ts';
import type { FrameMemory, MemoryPlan, StagePlan } from './memory-plan.ts';
import type { Model } from './model.ts';
import { planning, prepare, type Runner, runnerOf } from './runner.ts';
import { type PrecisionWarning, StagePrecision } from './stage-precision.ts';
import { COMPONENTS, type Stage, stageGraph, STAGES, type TileGraphOptions } from './tile-graph.ts';

export interface TileNetworksOptions extends Omit<TileGraphOptions, 'batch' | 'noise'> {
  readonly lowMemory: boolean;
  /** Activations in bands. @default true */
  readonly compact?: boolean;
  /** Looks for NaN and Infinity after every layer. @default false */
  readonly check?: boolean;
  /** Hears of stages that go on in f32. */
  readonly onWarning?: ((warning: PrecisionWarning) => void) | undefined;
}

/** One batch of tiles. */
export interface TileJob {
  /** Tiles in it. */
  readonly count: number;
}

/** Reads what a runner holds after a run; `prefix` goes before the tensors' names. */
export type DumpStage = (runner: Runner, buffers: Buffers, prefix: string) => Promise<void>;

export interface TileRequest {
  readonly noise: TileGraphOptions['noise'];
  /** Tiles in all jobs together, for progress. */
  readonly count: number;
  readonly signal?: AbortSignal | undefined;
  /** Device time per submit (engine/executor.ts). */
  readonly budgetMs?: number | undefined;
  /** Is given every stage that has run; its named tensors, called `call<k>.<name>`, can be read. */
  readonly dump?: DumpStage | undefined;
  readonly onProgress?: ((progress: TileProgress) => void) | undefined;
}

export interface TileProgress {
  /** `load` counts bytes of weights, `compile` pipelines, both at once; `tiles` tiles. */
  readonly stage: 'load' | 'compile' | 'tiles';
  readonly done: number;
  readonly total: number;
}

type Kind = Pick<TileRequest, 'noise' | 'dump'>;

/** One run of one stage. */
interface StageRun extends Omit<TileRequest, 'count'> {
  readonly buffers: Buffers;
  /** Hears the share that is done. */
  readonly onRun: (share: number) => void;
}

const watching = onDemand('the look for NaN and Infinity', () => import('../graph/watch.ts'));

/** Tiles that pass a stage together in low memory: their latents and LR pixels wait on the device. */
const LOW_MEMORY_TILES = 32;

export class TileNetworks {
  readonly #context: EngineContext;
  readonly #model: Model;
  readonly #options: TileNetworksOptions;
  readonly #plans = new Map<string, Plan>();
  readonly #runners = new Map<string, Runner>();
  readonly #precision: StagePrecision;

  constructor(context: EngineContext, model: Model, options: TileNetworksOptions) {
    this.#context = context;
    this.#model = model;
    this.#options = options;
    this.#precision = new StagePrecision(options.precision);
  }

  /** Channels of the latents, and so of the draws. */
  get latentChannels(): number {
    return this.#model.configs.vae.latentChannels;
  }

  /** Something was prepared or run, and not freed since. */
  get isOnDevice(): boolean {
    return this.#runners.size > 0;
  }

  /** The stage's plan for `batch` tiles, made once. NotLoadedError: `planAhead` waits for code, this does not. */
  plan(stage: Stage, batch: number, kind: Kind): Plan {
    return atOnce(this.#planning(stage, batch, kind));
  }

  /** Makes the plans of all stages with pauses: those of large networks take a page's thread too long. */
  async planAhead(batch: number, kind: Kind, signal?: AbortSignal): Promise<void> {
    for (const stage of STAGES) await inSlices(this.#planning(stage, batch, kind), signal);
  }

  *#planning(stage: Stage, batch: number, { noise, dump }: Kind): Work<Plan> {
    const key = this.#keyOf(stage, batch, { noise, dump });
    const known = this.#plans.get(key);
    if (known) return known;
    const precision = this.#precision.of(stage);
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
    this.#plans.set(key, plan);
    return plan;
  }

  /** Loads and compiles all stages, unless memory is low. */
  async prepare(batch: number, request: Omit<TileRequest, 'count'>): Promise<void> {
    await this.planAhead(batch, request, request.signal);
    if (this.#options.lowMemory) return;
    const plans = this.#plansOf(batch, request);
    await prepare(
      this.#context,
      plans.map(({ plan }) => plan),
      {
        model: this.#model,
        signal: request.signal,
        onProgress: ({ stage: what, done, total }) => {
          if (what !== 'run') request.onProgress?.({ stage: what, done, total });
        },
      },
    );
    for (const { stage } of plans) {
      await this.#runner(stage, batch, { ...request, onProgress: undefined });
    }
  }

  /** What `tiles` tiles in batches of `batch` will take, by default the most that wait together; with a frame around them. */
  async memory(
    batch: number,
    tiles = Math.max(batch, LOW_MEMORY_TILES),
    frame?: FrameMemory,
  ): Promise<MemoryPlan> {
    const { tile, lowMemory } = this.#options;
    const count = Math.min(batch, tiles);
    const group = lowMemory ? Math.min(tiles, LOW_MEMORY_TILES) : count;
    const kind = { noise: 'generated' } as const;
    const rest = tiles % count;
    await this.planAhead(count, kind);
    if (rest > 0) await this.planAhead(rest, kind);
    const first = this.#plansOf(count, kind);
    const last =
      rest > 0 ? STAGES.map((stage) => ({ stage, plan: this.plan(stage, rest, kind) })) : [];
    const { planMemory } = await import('./memory-plan.ts');
    return planMemory([...first, ...last], {
      tile,
      tileBatch: batch,
      lowMemory,
      jobs: Math.ceil(group / count),
      alignment: this.#context.capabilities.limits.minUniformBufferOffsetAlignment,
      frame,
    });
  }

  /** All stages' plans, the largest slots first: the others then find room in them. */
  #plansOf(batch: number, kind: Kind): readonly StagePlan[] {
    const plans = STAGES.map((stage) => ({ stage, plan: this.plan(stage, batch, kind) }));
    return plans.toSorted((a, b) => slotBytes(b.plan) - slotBytes(a.plan));
  }

  /**
   * Takes every job through the networks, in order. `begin` writes the externals `tiles` and, by the
   * kind of noise, `seed` and `latentOrigins` or `draw0` and `draw1`. Yields as soon as the job's `patch`
   * is there; it is overwritten after that. `shared` has buffers of the caller's that may be needed
   * beside a job's own.
   */
  async *run<Job extends TileJob>(
    jobs: Iterable<Job> | AsyncIterable<Job>,
    begin: (buffers: Buffers, job: Job) => Promise<void>,
    { shared, ...request }: TileRequest & { readonly shared?: Buffers | undefined },
  ): AsyncGenerator<{ readonly job: Job; readonly buffers: Buffers }> {
    const { lowMemory } = this.#options;
    const { dump, onProgress, count: total } = request;
    const patches = new Buffers(this.#context, shared);
    const scopes: Buffers[] = [];
    let done = 0;
    let call = 0;
    try {
      for await (const group of groupsOf(jobs, lowMemory ? LOW_MEMORY_TILES : 1)) {
        if (call === 0) await this.prepare(group[0]?.count ?? 1, request);
        // A last batch may be smaller.
        for (const { count } of group) await this.planAhead(count, request, request.signal);
        for (const stage of STAGES) {
          for (const [i, job] of group.entries()) {
            const buffers = (scopes[i] ??= new Buffers(this.#context, patches));
            if (stage === 'noise_predictor') await begin(buffers, job);
            const { patch } = this.plan(stage, job.count, request).externals;
            // Read at once, so all jobs may write to the same.
            if (patch) await patches.create('patch', byteLength(patch));
            const share = job.count * this.#share(stage, job.count, request);
            const from = done;
            const runner = await this.#runStage(stage, job.count, {
              ...request,
              buffers,
              onRun: (part) => onProgress?.({ stage: 'tiles', done: from + share * part, total }),
            });
            done += share;
            await dump?.(runner, buffers, `call${call + i}.`);
            if (stage === 'decode') yield { job, buffers };
          }
          if (lowMemory) this.#evict(stage);
        }
        call += group.length;
      }
    } finally {
      for (const buffers of [...scopes, patches]) buffers.dispose();
      // An abort or an error leaves the stage it met.
      if (lowMemory) for (const stage of STAGES) this.#evict(stage);
    }
  }

  /** Frees the plans; weights stay with the context. */
  dispose(): void {
    for (const runner of this.#runners.values()) runner.dispose();
    this.#runners.clear();
  }

  /** Runs a stage; where a check finds it out of f16's range, once more in f32. */
  async #runStage(
    stage: Stage,
    batch: number,
    { buffers, onRun, ...request }: StageRun,
  ): Promise<Runner> {
    // Tells of loading and compiling where `prepare` has not done it: in low memory, for a last batch.
    const runner = await this.#runner(stage, batch, request);
    await runner.run(buffers, {
      signal: request.signal,
      budgetMs: request.budgetMs,
      onProgress: ({ done, total }) => onRun(done / total),
    });
    if (!this.#options.check) return runner;
    const { layerOf, WATCH } = await watching.load();
    const { bytes } = await runner.read(WATCH, buffers);
    const layer = layerOf(runner.plan, new Uint32Array(bytes));
    if (layer === undefined) return runner;
    const warning = this.#precision.widen(stage, layer, this.#model.name);
    this.#forget(stage);
    this.#options.onWarning?.(warning);
    return this.#runStage(stage, batch, { buffers, onRun, ...request });
  }

  async #runner(stage: Stage, batch: number, request: Omit<TileRequest, 'count'>): Promise<Runner> {
    const key = this.#keyOf(stage, batch, request);
    const known = this.#runners.get(key);
    if (known) return known;
    const runner = await runnerOf(this.#context, this.plan(stage, batch, request), {
      model: this.#model,
      signal: request.signal,
      onProgress: ({ stage: what, done, total }) => {
        if (what !== 'run') request.onProgress?.({ stage: what, done, total });
      },
    });
    this.#runners.set(key, runner);
    return runner;
  }

  /** Frees a stage's plans. */
  #forget(stage: Stage): void {
    for (const [key, runner] of this.#runners) {
      if (!key.startsWith(`${stage} `)) continue;
      runner.dispose();
      this.#runners.delete(key);
    }
  }

  /** Frees a stage's plans and weights. */
  #evict(stage: Stage): void {
    this.#forget(stage);
    for (const component of COMPONENTS[stage]) this.#context.weights.release(component);
  }

  #keyOf(stage: Stage, batch: number, { noise, dump }: Kind): string {
    return `${stage} ${this.#precision.of(stage)} ${batch} ${noise} ${dump !== undefined}`;
  }

  /** What a stage takes of a tile's floating point operations. */
  #share(stage: Stage, batch: number, kind: Kind): number {
    const flops = (of: Stage): number => totalFlops(this.plan(of, batch, kind).dispatches);
    return flops(stage) / STAGES.reduce((sum, of) => sum + flops(of), 0);
  }
}

/** Jobs in groups of at least `tiles` tiles, pulled when they are needed. */
async function* groupsOf<Job extends TileJob>(
  jobs: Iterable<Job> | AsyncIterable<Job>,
  tiles: number,
): AsyncGenerator<readonly Job[]> {
  let group: Job[] = [];
  for await (const job of jobs) {
    group.push(job);
    if (group.reduce((sum, { count }) => sum + count, 0) < tiles) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
