/** Networks with options made modest until a run fits in a given memory. */
import type { EngineContext } from '../engine/context.ts';
import { MemoryError } from './errors.ts';
import type { MemoryPlan } from './memory-plan.ts';
import type { Model } from './model.ts';
import { TileNetworks } from './tile-networks.ts';
import { type UpscaleSettings, withDefaults } from './upscale-settings.ts';

/** Tried in turn where nothing else helps: smaller tiles see less of the picture at a time. */
const SMALLER_TILES = [96, 64, 48, 32];

export interface MemoryFit {
  readonly options: Required<UpscaleSettings>;
  /** With these options; nothing of them is on the device yet. */
  readonly networks: TileNetworks;
  readonly plan: MemoryPlan;
  /** What was given up, for people; empty where all fits as asked. */
  readonly changes: readonly string[];
}

/**
 * Gives up, in this order, as little as brings the plan under `limitBytes`: whole activations, tile
 * batches, networks staying on the device, tile size. MemoryError where even that is too much;
 * ConfigError where `cfg` needs a negative prompt and the model has none.
 */
export async function fitMemory(
  context: EngineContext,
  model: Model,
  asked: UpscaleSettings,
  limitBytes = Infinity,
): Promise<MemoryFit> {
  const wanted = withDefaults(asked, context);
  const smaller = SMALLER_TILES.filter((tile) => tile < wanted.tile);
  const candidates = [
    wanted,
    { ...wanted, compact: true },
    { ...wanted, compact: true, tileBatch: 1 },
    ...[wanted.tile, ...smaller].map((tile) => ({
      ...wanted,
      compact: true,
      tileBatch: 1,
      lowMemory: true,
      tile,
    })),
  ];
  let least = Infinity;
  for (const options of candidates) {
    const networks = new TileNetworks(context, model, options);
    const plan = await networks.plans.memory(options.tileBatch);
    if (plan.peakBytes <= limitBytes) {
      return { options, networks, plan, changes: changesOf(wanted, options) };
    }
    least = Math.min(least, plan.peakBytes);
  }
  throw new MemoryError(
    `the model needs at least ${inWords(least)} of memory on this device, --memory allows ${inWords(limitBytes)}; allow more, or use a smaller model`,
  );
}

const changesOf = (
  from: Required<UpscaleSettings>,
  to: Required<UpscaleSettings>,
): readonly string[] => [
  ...(to.compact === from.compact ? [] : ['activations in bands']),
  ...(to.tileBatch === from.tileBatch ? [] : [`tiles one by one instead of ${from.tileBatch}`]),
  ...(to.lowMemory === from.lowMemory ? [] : ['one network at a time']),
  ...(to.tile === from.tile ? [] : [`tiles of ${to.tile} instead of ${from.tile} pixels`]),
];

/** Decimal, as device makers count. */
const inWords = (bytes: number): string =>
  bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
