/**
 * The networks for batches of tiles, stage by stage: their plans (tile-plans.ts) made runnable.
 *
 * Resident: the plans and weights of all stages stay on the device, and each batch passes all of
 * them. Low memory: one stage at a time; a group of batches passes a stage before its weights and
 * buffers make room for the next one's.
 *
 * Checked: every stage says which of its layers gave NaN or Infinity first. In f16 that is what an
 * activation too large for it gives, so the stage is built anew in f32 and goes on so.
 */
import type { EngineContext } from '../engine/context.ts';
import type { RunOptions } from '../engine/executor.ts';
import { byteLength } from '../engine/kernel.ts';
import type { Plan } from '../engine/plan.ts';
import { createQueue } from '../engine/queue.ts';
import { Buffers } from './buffers.ts';
import { checkGuidance } from './check-model.ts';
import type { StagePlan } from './memory-plan.ts';
import type { Model } from './model.ts';
import { loadAndCompile, type Runner, runnerOf } from './runner.ts';
import type { PrecisionWarning } from './stage-precision.ts';
import { COMPONENTS, type Stage, STAGES } from './tile-graph.ts';
import { type TileKind, type TilePlanOptions, TilePlans, watching } from './tile-plans.ts';
import type { PatchOptions } from './tile-source.ts';
import { LOW_MEMORY_TILES } from './upscale-settings.ts';

export interface TileNetworksOptions extends TilePlanOptions {
  /** Hears of stages that go on in f32. */
  readonly onWarning?: ((warning: PrecisionWarning) => void) | undefined;
}

/** One batch of tiles. */
export interface TileJob {
  /** Tiles in it. */
  readonly count: number;
}

export interface TileRequest extends TileKind, PatchOptions {
  /** Device time per submit (engine/executor.ts). */
  readonly budgetMs?: number | undefined;
}

/** One run of one stage. */
interface StageRun extends Omit<TileRequest, 'count'> {
  readonly buffers: Buffers;
  readonly onRun: RunOptions['onProgress'];
}

export class TileNetworks {
  readonly context: EngineContext;
  readonly model: Model;
  readonly plans: TilePlans;
  readonly #options: TileNetworksOptions;
  readonly #runners = new Map<Plan, { readonly stage: Stage; readonly runner: Runner }>();
  /** Runners are shared: one run or preparation at a time has them. */
  readonly #queue = createQueue();

  /** ConfigError where `cfg` needs a negative prompt and the model has none. */
  constructor(context: EngineContext, model: Model, options: TileNetworksOptions) {
    checkGuidance(model, options.cfg);
    this.context = context;
    this.plans = new TilePlans(context, model, options);
    this.model = model;
    this.#options = options;
  }

  /** Something was prepared or run, and not freed since. */
  get isOnDevice(): boolean {
    return this.#runners.size > 0;
  }

  /** Loads and compiles all stages, unless memory is low; after the runs before it, unless aborted. */
  async prepare(batch: number, request: Omit<TileRequest, 'count'>): Promise<void> {
    await this.#queue(() => this.#prepare(batch, request), request.signal);
  }

  async #prepare(batch: number, request: Omit<TileRequest, 'count'>): Promise<void> {
    await this.plans.ahead(batch, request, request.signal);
    if (this.#options.lowMemory) return;
    await this.#open(this.plans.all(batch, request), request);
  }

  /**
   * Takes every job through the networks, in order. `begin` writes the externals `tiles` and, by the
   * kind of noise, `seed` and `latentOrigins` or `draw0` and `draw1`. Yields as soon as the job's `patch`
   * is there; it is overwritten after that. `shared` has buffers of the caller's that may be needed
   * beside a job's own. Waits for the runs before it, unless aborted, and holds up later ones until its
   * last job or its early end.
   */
  async *run<Job extends TileJob>(
    jobs: Iterable<Job> | AsyncIterable<Job>,
    begin: (buffers: Buffers, job: Job) => Promise<void>,
    { shared, ...request }: TileRequest & { readonly shared?: Buffers | undefined },
  ): AsyncGenerator<{ readonly job: Job; readonly buffers: Buffers }> {
    const { lowMemory } = this.#options;
    const { dump, onProgress, count: total } = request;
    const end = await this.#queue.turn(request.signal);
    const patches = new Buffers(this.context, shared);
    const scopes: Buffers[] = [];
    let done = 0;
    let call = 0;
    try {
      for await (const group of groupsOf(jobs, lowMemory ? LOW_MEMORY_TILES : 1)) {
        if (call === 0) await this.#prepare(group[0]?.count ?? 1, request);
        for (const stage of STAGES) {
          for (const [i, job] of group.entries()) {
            // A last batch may be smaller, and a check may have moved a stage to f32.
            await this.plans.ahead(job.count, request, request.signal);
            const buffers = (scopes[i] ??= new Buffers(this.context, patches));
            if (stage === 'noise_predictor') await begin(buffers, job);
            const { patch } = this.plans.of(stage, job.count, request).externals;
            // Read at once, so all jobs may write to the same.
            if (patch) await patches.create('patch', byteLength(patch));
            const share = job.count * this.plans.share(stage, job.count, request);
            const from = done;
            const runner = await this.#runStage(stage, job.count, {
              ...request,
              buffers,
              onRun: (p) =>
                onProgress?.({ stage: 'tiles', done: from + share * (p.done / p.total), total }),
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
      end();
    }
  }

  /** Frees what plans hold on the device; weights stay with the context. */
  dispose(): void {
    for (const stage of STAGES) this.#forget(stage);
  }

  /** Runs a stage; where a check finds it out of f16's range, once more in f32. */
  async #runStage(
    stage: Stage,
    batch: number,
    { buffers, onRun, ...request }: StageRun,
  ): Promise<Runner> {
    // Tells of loading and compiling where `prepare` has not done it: in low memory, for a last batch.
    const runner = await this.#runner(stage, this.plans.of(stage, batch, request), request);
    await runner.run(buffers, { ...request, onProgress: onRun });
    if (!this.#options.check) return runner;
    const { layerOf, WATCH } = await watching.load();
    const { readTensor } = await import('./read-tensor.ts');
    const { bytes } = await readTensor(this.context.device, runner.at(WATCH, buffers));
    const layer = layerOf(runner.plan, new Uint32Array(bytes));
    if (layer === undefined) return runner;
    const warning = this.plans.widen(stage, layer);
    this.#forget(stage);
    this.#options.onWarning?.(warning);
    await this.plans.ahead(batch, request, request.signal);
    return this.#runStage(stage, batch, { buffers, onRun, ...request });
  }

  async #runner(stage: Stage, plan: Plan, request: LoadRequest): Promise<Runner> {
    const known = this.#runners.get(plan);
    if (known) return known.runner;
    await this.#open([{ stage, plan }], request);
    return this.#runner(stage, plan, request);
  }

  /** Loads and compiles plans; those that have no runner get one. */
  async #open(plans: readonly StagePlan[], { signal, onProgress }: LoadRequest): Promise<void> {
    const options = { model: this.model, signal, onProgress };
    const all = plans.map(({ plan }) => plan);
    const compiled = await loadAndCompile(this.context, all, options);
    for (const { stage, plan } of plans) {
      if (this.#runners.has(plan)) continue;
      const runner = await runnerOf(this.context, plan, compiled, signal);
      this.#runners.set(plan, { stage, runner });
    }
  }

  /** Frees what a stage's plans hold. */
  #forget(stage: Stage): void {
    for (const [plan, { stage: of, runner }] of this.#runners) {
      if (of !== stage) continue;
      runner.dispose();
      this.#runners.delete(plan);
    }
  }

  /** Frees a stage's plans and weights. */
  #evict(stage: Stage): void {
    this.#forget(stage);
    for (const component of COMPONENTS[stage]) this.context.weights.release(component);
  }
}

type LoadRequest = Omit<PatchOptions, 'count'>;

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
