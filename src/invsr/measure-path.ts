/**
 * Time of a model's whole path for one tile: LR pixels in, upscaled pixels out. Wall time of warm
 * runs, and GPU time by network and by kind of dispatch.
 */
import type { EngineContext } from '../engine/context.ts';
import { totalFlops } from '../engine/plan.ts';
import type { DispatchTiming } from '../engine/profiler.ts';
import {
  groupTimings,
  medianTimings,
  networkOf,
  openWorkload,
  type Spread,
  spreadOf,
  testImage,
  type TimingGroup,
  type Workload,
} from './measure.ts';
import type { Model } from './model.ts';
import { stageGraph, STAGES, type TileGraphOptions } from './tile-graph.ts';
import { DEFAULT_SEED, seedWords } from './tile-inputs.ts';

export type Precision = TileGraphOptions['precision'];

export interface PathOptions extends Pick<TileGraphOptions, 'tile' | 'timesteps'> {
  readonly precisions: readonly Precision[];
  /** Timed runs of each. */
  readonly runs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
  /** Gets the dispatches of one profiled run, that of median length, where the device has timestamps. */
  readonly onProfile?:
    | ((precision: Precision, dispatches: readonly DispatchTiming[]) => void)
    | undefined;
}

export interface PathResult {
  readonly precision: Precision;
  readonly flops: number;
  /** Milliseconds with upload and readback. */
  readonly wall: Spread;
  /** Sum of the dispatches' own times, the median of each; absent where the device told none. */
  readonly gpuMilliseconds?: number;
  readonly networks: readonly TimingGroup[];
  /** By kernel and variant; of GPU times, like `networks`. */
  readonly kinds: readonly TimingGroup[];
}

/** Profiled runs; each is as long as a timed one. */
const MAX_PROFILES = 3;

interface Side {
  readonly precision: Precision;
  readonly path: Workload;
  readonly walls: number[];
  readonly profiles: DispatchTiming[][];
}

/** In rounds over the precisions, so that a disturbance of the machine meets all of them. */
export async function measurePaths(
  context: EngineContext,
  model: Model,
  options: PathOptions,
): Promise<PathResult[]> {
  const { precisions, runs, onProgress, onProfile } = options;
  const canProfile = context.device.features.has('timestamp-query');
  const sides: Side[] = [];
  try {
    for (const precision of precisions) {
      onProgress?.(`path ${precision}: warm-up`);
      const path = await openPath(context, model, precision, options);
      sides.push({ precision, path, walls: [], profiles: [] });
      await path.run();
    }
    for (let round = 0; round < runs; round++) {
      for (const { precision, path, walls, profiles } of sides) {
        onProgress?.(`path ${precision}: round ${round + 1} of ${runs}`);
        walls.push((await path.run()).milliseconds);
        if (!canProfile || round >= MAX_PROFILES) continue;
        const profile = await path.profile();
        if (isMeasured(profile)) profiles.push(profile);
      }
    }
    for (const { precision, profiles } of sides) {
      const profile = ofMedianLength(profiles);
      if (profile) onProfile?.(precision, profile);
    }
    return sides.map(resultOf);
  } finally {
    for (const { path } of sides) path.dispose();
  }
}

/** Every dispatch of one run after one that warms up, on a device with timestamps; see `isMeasured`. */
export async function profilePath(
  context: EngineContext,
  model: Model,
  { precision, ...options }: Omit<PathOptions, 'precisions' | 'runs'> & { precision: Precision },
): Promise<readonly DispatchTiming[]> {
  const path = await openPath(context, model, precision, options);
  try {
    options.onProgress?.(`path ${precision}: profile`);
    await path.run();
    return await path.profile();
  } finally {
    path.dispose();
  }
}

const lengthOf = (profile: readonly DispatchTiming[]): number =>
  profile.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0);

/** False where the device's timestamps stand still. */
export const isMeasured = (profile: readonly DispatchTiming[]): boolean => lengthOf(profile) > 0;

/** A run as it was: medians of single dispatches would overlap. */
function ofMedianLength(profiles: readonly DispatchTiming[][]): DispatchTiming[] | undefined {
  const sorted = profiles.toSorted((a, b) => lengthOf(a) - lengthOf(b));
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

function openPath(
  context: EngineContext,
  model: Model,
  precision: Precision,
  { tile, timesteps, signal }: Omit<PathOptions, 'precisions' | 'runs'>,
): Promise<Workload> {
  const shape = { precision, tile, timesteps, batch: 1, cfg: 1, noise: 'generated' } as const;
  const graphs = STAGES.map((stage) => stageGraph(stage, model, shape));
  const inputs = {
    tiles: testImage(tile),
    latentOrigins: new Uint32Array(2),
    seed: seedWords(DEFAULT_SEED),
  };
  return openWorkload(context, graphs, { model, inputs, output: 'patch_out', signal });
}

function resultOf({ precision, path, walls, profiles }: Side): PathResult {
  const timings = medianTimings(profiles);
  return {
    precision,
    flops: totalFlops(path.plans.flatMap(({ dispatches }) => dispatches)),
    wall: spreadOf(walls),
    ...(timings.length > 0 && { gpuMilliseconds: lengthOf(timings) / 1e6 }),
    networks: groupTimings(timings, ({ path }) => networkOf(path)),
    kinds: groupTimings(timings, ({ name, variant }) => `${name} ${variant}`),
  };
}
