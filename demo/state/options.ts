/** What a person can set before a run, as plain data, and the engine's options that follow from it. */
import { signal } from '@preact/signals';
import type { ColorFix, NetworkOptions } from '../../src/index.ts';

export type Steps = 1 | 2 | 3 | 4 | 5;

export interface Options {
  readonly steps: Steps;
  /** 100 (true to the photo) to 250 (more invented detail); null follows the number of steps. */
  readonly startTimestep: number | null;
  readonly seed: number;
  readonly colorFix: ColorFix;
  /** Side in pixels of the photo. */
  readonly tile: number;
  /** Share of a tile. */
  readonly overlap: number;
  /** auto: f16 where the adapter has it. */
  readonly precision: 'auto' | 'f32';
  /** One network on the device at a time. */
  readonly lowMemory: boolean;
}

export const DEFAULTS: Options = {
  steps: 1,
  startTimestep: null,
  seed: 12345,
  colorFix: 'wavelet',
  tile: 128,
  overlap: 0.125,
  precision: 'auto',
  lowMemory: false,
};

export const STEPS: readonly Steps[] = [1, 2, 3, 4, 5];
export const TILES: readonly number[] = [32, 48, 64, 96, 128, 192, 256];
export const MAX_SEED = 2 ** 32 - 1;

export const options = signal<Options>(DEFAULTS);

export const change = (part: Partial<Options>): void => {
  options.value = { ...options.value, ...part };
};

/** The dial's place: the official list of five steps begins at 250, the others at 200. */
export const startOf = ({ steps, startTimestep }: Pick<Options, 'steps' | 'startTimestep'>) =>
  startTimestep ?? (steps === 5 ? 250 : 200);

/** The next smaller tile, for a device that ran out of memory; undefined where there is none. */
export const smallerTile = (tile: number): number | undefined =>
  TILES.findLast((other) => other < tile);

/** What decides which networks run. */
export const networkOptions = ({
  steps,
  startTimestep,
  tile,
  overlap,
}: Options): NetworkOptions => ({
  steps,
  tile,
  overlap,
  ...(startTimestep !== null && { startTimestep }),
});

/** What makes the result of a photo: the networks, and what they are given. */
export const upscaleOptions = (chosen: Options) => ({
  ...networkOptions(chosen),
  seed: chosen.seed,
  colorFix: chosen.colorFix,
});

/** How the model is opened. */
export const modelOptions = ({ precision, lowMemory }: Options) => ({
  lowMemory,
  ...(precision === 'f32' && { precision }),
});

/** A whole number that no run had before. */
export const newSeed = (random: () => number = Math.random): number =>
  Math.floor(random() * (MAX_SEED + 1));

/** What a person typed, as a seed; undefined where it is none. */
export function readSeed(text: string): number | undefined {
  const seed = Number(text.trim() || Number.NaN);
  return Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED ? seed : undefined;
}
