/**
 * What a run takes of the device's memory, known from its plans before a byte is allocated.
 *
 *   peak = weights + between + images + max(uploads, slots + readback) = weights + slots + between + images + staging
 *
 * Slots are leased when the weights are there, so uploads count only for what they take beyond them.
 * Resident, the weights of all stages count, and their plans share slots; in low memory, the stage
 * that takes most. Images count where the GPU frame's plans are known; each of these runs by itself.
 */
import { bufferSize } from '../engine/allocator.ts';
import { packPlanParams, slotRequests } from '../engine/binder.ts';
import { byteLength, type TensorType } from '../engine/kernel.ts';
import type { Location, Plan } from '../engine/plan.ts';
import { inSlices, type Work } from '../engine/slices.ts';
import { fitSlots, type SlotRequest } from '../engine/slot-pool.ts';
import { stagingBytesOf } from '../engine/uploader.ts';
import { weightId } from '../engine/weight-store.ts';
import { BATCH_BYTES } from '../graph/load-plan.ts';
import { type Stage, STAGES } from './tile-graph.ts';
import type { TilePlans } from './tile-plans.ts';
import { LOW_MEMORY_TILES } from './upscaler-options.ts';

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
 * `plans` in the order in which they take slots; a stage has another one for a smaller last batch. In steps
 * (engine/slices.ts): a plan of a large network has thousands of tensors to look at.
 */
export function* planningMemory(
  plans: readonly StagePlan[],
  { tile, tileBatch, lowMemory, jobs, alignment, frame = NO_FRAME }: MemoryOptions,
): Work<MemoryPlan> {
  const facts = new Map<Plan, PlanFacts>();
  for (const plan of [...plans.map((of) => of.plan), ...frame.plans]) {
    facts.set(plan, yield* factsOf(plan, alignment));
  }
  const factsOfAll = [...facts.values()];
  const resident = plans.flatMap(({ plan }) => facts.get(plan) ?? []);
  const around = frame.plans.flatMap((plan) => facts.get(plan) ?? []);
  const stages = [...new Set(plans.map(({ stage }) => stage))].map((stage) => {
    const own = plans.filter((p) => p.stage === stage).flatMap(({ plan }) => facts.get(plan) ?? []);
    return { stage, ...together(own) };
  });
  yield;
  // The first batch is the largest one.
  const externals = new Map<string, number>();
  for (const of of factsOfAll) {
    for (const [name, bytes] of of.externals) {
      externals.set(name, Math.max(externals.get(name) ?? 0, bytes));
    }
  }
  const patch = externals.get('patch') ?? 0;
  const bytesOf = (names: readonly string[]): number =>
    names.reduce((sum, name) => sum + (externals.get(name) ?? 0), 0);
  const images = bytesOf(FRAME_IMAGES);
  const perJob = bytesOf([...externals.keys()]) - patch - images;
  const sums: Together[] = lowMemory ? [...stages] : [together(resident)];
  for (const of of around) {
    sums.push(together(lowMemory ? [of] : [...resident, of]));
    yield;
  }
  const moments = sums.map(({ weightBytes: w, slotBytes: s, paramBytes }): Parts => ({
    weightBytes: w,
    slotBytes: s,
    betweenBytes: jobs * perJob + patch + paramBytes,
    imageBytes: images + frame.otherBytes,
    stagingBytes: Math.max(Math.min(stagingBytesOf(BATCH_BYTES), w) - s, patch),
  }));
  const worst = moments.reduce((a, b) => (totalOf(b) > totalOf(a) ? b : a));
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
    largestBufferBytes: Math.max(...factsOfAll.map(({ largestBuffer: bytes }) => bytes)),
    largestBindingBytes: Math.max(...factsOfAll.map(({ largestBinding: bytes }) => bytes)),
  };
}

/** What counts of one plan. */
interface PlanFacts {
  /** Bytes by identity: plans share weights. */
  readonly weights: ReadonlyMap<string, number>;
  readonly slots: readonly SlotRequest[];
  readonly paramBytes: number;
  readonly externals: ReadonlyMap<string, number>;
  readonly largestBuffer: number;
  readonly largestBinding: number;
}

function* factsOf(plan: Plan, alignment: number): Work<PlanFacts> {
  const { prepare, dispatches, weights, externals } = plan;
  const params = packPlanParams([...prepare, ...dispatches], alignment);
  yield;
  const slots = slotRequests(plan);
  yield;
  const largest = largestBinding(plan);
  yield;
  return {
    weights: new Map(weights.map((w) => [weightId(w), bufferSize(byteLength(w.type))])),
    slots,
    paramBytes: bufferSize(params.bytes.byteLength),
    externals: new Map(
      Object.entries(externals).map(([name, type]) => [name, bufferSize(byteLength(type))]),
    ),
    largestBuffer: largestBuffer(plan),
    largestBinding: largest,
  };
}

/** Of plans that are on the device at the same time. */
interface Together {
  readonly weightBytes: number;
  readonly slotBytes: number;
  readonly paramBytes: number;
}

function together(plans: readonly PlanFacts[]): Together {
  const weights = new Map(plans.flatMap((plan) => [...plan.weights]));
  return {
    weightBytes: sumOf(weights.values()),
    slotBytes: pooledBytes(plans.map(({ slots }) => slots)),
    paramBytes: sumOf(plans.map(({ paramBytes }) => paramBytes)),
  };
}

const sumOf = (numbers: Iterable<number>): number =>
  [...numbers].reduce((sum, number) => sum + number, 0);

type Parts = Pick<
  MemoryPlan,
  'weightBytes' | 'slotBytes' | 'betweenBytes' | 'imageBytes' | 'stagingBytes'
>;

const totalOf = (parts: Parts): number =>
  parts.weightBytes + parts.slotBytes + parts.betweenBytes + parts.imageBytes + parts.stagingBytes;

const largestBuffer = ({ slots, weights, externals }: Plan): number =>
  Math.max(
    0,
    ...slots.map(({ bytes }) => bytes),
    ...weights.map(({ type }) => byteLength(type)),
    ...Object.values(externals).map(byteLength),
  );

/** Large tensors are bound window by window. */
function largestBinding({ slots, weights, externals, prepare, dispatches }: Plan): number {
  const bytesOf = (location: Location): number => {
    if (location.kind === 'weight') return bytesOfType(weights[location.index]?.type);
    if (location.bytes !== undefined) return location.bytes;
    if (location.kind === 'slot') return slots[location.index]?.bytes ?? 0;
    return bytesOfType(externals[location.name]);
  };
  let largest = 0;
  for (const { inputs, output } of [...prepare, ...dispatches]) {
    for (const location of [...Object.values(inputs), output]) {
      largest = Math.max(largest, bytesOf(location));
    }
  }
  return largest;
}

const bytesOfType = (type: TensorType | undefined): number => (type ? byteLength(type) : 0);

/** Bytes of the pool's buffers after leases by several plans, in this order. */
export function pooledBytes(leases: readonly (readonly SlotRequest[])[]): number {
  const pool: { readonly size: number }[] = [];
  let bytes = 0;
  for (const requests of leases) {
    const fits = fitSlots(requests, pool);
    for (const [index, request] of requests.entries()) {
      if (fits.has(index)) continue;
      const size = bufferSize(request.bytes);
      bytes += size;
      if (!request.isExclusive) pool.push({ size });
    }
  }
  return bytes;
}
