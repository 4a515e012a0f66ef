/**
 * What a run takes of the device's memory, known from its plans before a byte is allocated.
 *
 *   peak = weights + between + images + max(uploads, slots + readback) = weights + slots + between + images + staging
 *
 * Slots are leased when the weights are there, so uploads count only for what they take beyond them.
 * Resident, the weights of all stages count, and their plans share slots; in low memory, the stage
 * that takes most. Images count where the GPU frame's plans are known; each of these runs by itself.
 */
import type { Plan } from '../engine/plan.ts';
import { inSlices, type Work } from '../engine/slices.ts';
import { stagingBytesOf } from '../engine/uploader.ts';
import { BATCH_BYTES } from '../graph/load-plan.ts';
import { planBytes, type PlanBytes, type Together, together } from './plan-bytes.ts';
import { type Stage, STAGES } from './tile-graph.ts';
import type { TilePlans } from './tile-plans.ts';
import { LOW_MEMORY_TILES } from './upscale-settings.ts';

export interface StageMemory {
  readonly stage: Stage;
  readonly weightBytes: number;
  /** Activations. */
  readonly slotBytes: number;
}

export interface MemoryPlan {
  readonly tile: number;
  readonly tileBatch: number;
  readonly lowMemory: boolean;
  /** Each by itself. */
  readonly stages: readonly StageMemory[];
  /** Weights and activations on the device at the worst moment. */
  readonly weightBytes: number;
  readonly slotBytes: number;
  /** What stages hand over (tiles, latents, patch), and the parameters of their dispatches. */
  readonly betweenBytes: number;
  /** The GPU frame's: the input, the result, and what lies between them. */
  readonly imageBytes: number;
  /** Weights on their way up, without the room that activations get later, or a patch on its way down. */
  readonly stagingBytes: number;
  readonly peakBytes: number;
  /** To hold against maxBufferSize and maxStorageBufferBindingSize. */
  readonly largestBufferBytes: number;
  readonly largestBindingBytes: number;
}

export interface MemoryOptions {
  readonly tile: number;
  readonly tileBatch: number;
  readonly lowMemory: boolean;
  /** Batches that pass a stage together. */
  readonly jobs: number;
  /** The device's minUniformBufferOffsetAlignment. */
  readonly alignment: number;
  readonly frame?: FrameMemory | undefined;
}

/** What the GPU frame (gpu-frame.ts) takes besides the networks. */
export interface FrameMemory {
  readonly plans: readonly Plan[];
  /** Of images that are no externals of the plans. */
  readonly otherBytes: number;
}

const NO_FRAME: FrameMemory = { plans: [], otherBytes: 0 };

/** Externals of the frame's plans that are there once; the others belong to a batch. */
const FRAME_IMAGES = ['lr', 'image', 'content', 'final'];

export interface StagePlan {
  readonly stage: Stage;
  readonly plan: Plan;
}

/** What `tiles` tiles will take in batches of `tileBatch`; `plans` are made as far as they are missing. */
export async function planTiles(
  plans: TilePlans,
  { tiles, ...options }: Omit<MemoryOptions, 'jobs'> & { readonly tiles: number },
): Promise<MemoryPlan> {
  const { tileBatch, lowMemory } = options;
  const count = Math.min(tileBatch, tiles);
  const group = lowMemory ? Math.min(tiles, LOW_MEMORY_TILES) : count;
  const kind = { noise: 'generated' } as const;
  const rest = tiles % count;
  await plans.ahead(count, kind);
  if (rest > 0) await plans.ahead(rest, kind);
  const last =
    rest > 0 ? STAGES.map((stage) => ({ stage, plan: plans.of(stage, rest, kind) })) : [];
  const jobs = Math.ceil(group / count);
  return inSlices(planningMemory([...plans.all(count, kind), ...last], { ...options, jobs }));
}

/**
 * `plans` in the order in which they take slots; a stage has another one for a smaller last batch. In
 * steps (engine/slices.ts), as planBytes.
 */
export function* planningMemory(
  plans: readonly StagePlan[],
  { tile, tileBatch, lowMemory, jobs, alignment, frame = NO_FRAME }: MemoryOptions,
): Work<MemoryPlan> {
  const bytes = new Map<Plan, PlanBytes>();
  for (const plan of [...plans.map((of) => of.plan), ...frame.plans]) {
    bytes.set(plan, yield* planBytes(plan, alignment));
  }
  const all = [...bytes.values()];
  const resident = plans.flatMap(({ plan }) => bytes.get(plan) ?? []);
  const around = frame.plans.flatMap((plan) => bytes.get(plan) ?? []);
  const stages = [...new Set(plans.map(({ stage }) => stage))].map((stage) => {
    const own = plans.filter((p) => p.stage === stage).flatMap(({ plan }) => bytes.get(plan) ?? []);
    return { stage, ...together(own) };
  });
  yield;
  // The first batch is the largest one.
  const externals = new Map<string, number>();
  for (const of of all) {
    for (const [name, size] of of.externals) {
      externals.set(name, Math.max(externals.get(name) ?? 0, size));
    }
  }
  const patch = externals.get('patch') ?? 0;
  const sumOf = (names: readonly string[]): number =>
    names.reduce((sum, name) => sum + (externals.get(name) ?? 0), 0);
  const images = sumOf(FRAME_IMAGES);
  const perJob = sumOf([...externals.keys()]) - patch - images;
  const sums: Together[] = lowMemory ? [...stages] : [together(resident)];
  for (const of of around) {
    sums.push(together(lowMemory ? [of] : [...resident, of]));
    yield;
  }
  const peaks = sums.map(({ weightBytes: w, slotBytes: s, paramBytes }): Parts => ({
    weightBytes: w,
    slotBytes: s,
    betweenBytes: jobs * perJob + patch + paramBytes,
    imageBytes: images + frame.otherBytes,
    stagingBytes: Math.max(Math.min(stagingBytesOf(BATCH_BYTES), w) - s, patch),
  }));
  const worst = peaks.reduce((a, b) => (totalOf(b) > totalOf(a) ? b : a));
  return {
    tile,
    tileBatch,
    lowMemory,
    stages: stages.map(({ stage, weightBytes: w, slotBytes: s }) => ({
      stage,
      weightBytes: w,
      slotBytes: s,
    })),
    ...worst,
    peakBytes: totalOf(worst),
    largestBufferBytes: Math.max(...all.map(({ largestBuffer }) => largestBuffer)),
    largestBindingBytes: Math.max(...all.map(({ largestBinding }) => largestBinding)),
  };
}

type Parts = Pick<
  MemoryPlan,
  'weightBytes' | 'slotBytes' | 'betweenBytes' | 'imageBytes' | 'stagingBytes'
>;

const totalOf = (parts: Parts): number =>
  parts.weightBytes + parts.slotBytes + parts.betweenBytes + parts.imageBytes + parts.stagingBytes;
