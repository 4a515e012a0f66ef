/** What the way from picture to picture is asked for, and what it tells. */
import type { EngineContext } from '../engine/context.ts';
import type { ColorFix } from './image-graphs.ts';
import type { PrecisionWarning } from './stage-precision.ts';
import type { TileProgress } from './tile-source.ts';
import type { VaeTiling } from './vae-tiling.ts';

/**
 * Sides: https://github.com/zsyOAOA/InvSR/blob/27f2eb7dc3b67c06cd58eba34db19593dfa89493/configs/sample-sd-turbo.yaml
 * (sample_tiled_size, latent_tiled_size); overlap: diffusers' tile_overlap_factor.
 */
export const OFFICIAL_VAE_TILING: VaeTiling = { image: 1024, latent: 128, overlap: 0.25 };

/** The smallest without visible seams: docs/seams.md. */
const DEFAULT_OVERLAP = 0.125;

/** Tiles that pass a stage together with `lowMemory`: their latents and LR pixels wait on the device. */
export const LOW_MEMORY_TILES = 32;

/** Of the networks and of the frame around them. */
export interface UpscaleSettings {
  /** Storage of activations. @default f16 where the device has shader-f16, else f32 */
  readonly precision?: 'f16' | 'f32';
  /** One denoising step each: descending whole numbers from 1 to 1000. @default [200] */
  readonly timesteps?: readonly number[];
  /** Tile side in LR pixels, a multiple of 8 from 16 on. @default 128 */
  readonly tile?: number;
  /** Tiles computed at once. @default 1, or 8 with `official` */
  readonly tileBatch?: number;
  /** Share of a tile that its neighbour repeats, 0 to 0.5. @default 0.125, or 0.5 with `official` */
  readonly overlap?: number;
  /** Classifier-free guidance; 1 is off, others need a negative prompt. @default 1 */
  readonly cfg?: number;
  /** The input's colours put back into the result. @default 'none' */
  readonly colorFix?: ColorFix;
  /** The official code's tiles, noise per tile, and misaligned colour fix. @default false */
  readonly official?: boolean;
  /**
   * The VAE in tiles of its own where a tile's x4 image is larger.
   * @default null (whole tiles), or 1024 pixels with `official`
   */
  readonly vaeTiling?: VaeTiling | null;
  /**
   * One network on the device at a time: less memory, weights read again for every 32 tiles. Not
   * beside other networks of the same context, whose weights it would free.
   * @default false
   */
  readonly lowMemory?: boolean;
  /**
   * Large activations in bands: a few hundred MB less, for three times the dispatches.
   * @default true on software adapters and with `lowMemory`, else false
   */
  readonly compact?: boolean;
  /**
   * Looks for NaN and Infinity after every layer: a network that leaves the range of f16 is computed
   * again in f32 and goes on so; damaged weights are told by the first layer that shows them.
   * @default false
   */
  readonly check?: boolean;
  /** With `check`: hears of networks that go on in f32. @default nobody */
  readonly onWarning?: (warning: PrecisionWarning) => void;
}

/** Every default filled in, as `official` and the device have it. */
export function withDefaults(
  options: UpscaleSettings,
  { capabilities }: Pick<EngineContext, 'capabilities'>,
): Required<UpscaleSettings> {
  const { official = false, lowMemory = false } = options;
  checkOptions(options);
  return {
    precision: capabilities.shaderF16 ? 'f16' : 'f32',
    timesteps: [200],
    tile: 128,
    tileBatch: official ? 8 : 1,
    overlap: official ? 0.5 : DEFAULT_OVERLAP,
    cfg: 1,
    colorFix: 'none',
    official,
    vaeTiling: official ? OFFICIAL_VAE_TILING : null,
    check: false,
    onWarning: () => {},
    lowMemory,
    compact: lowMemory || capabilities.family === 'cpu',
    ...options,
  };
}

/** RangeError with one sentence where a value makes no sense; types alone do not stop JavaScript. */
function checkOptions({
  tile = 128,
  tileBatch = 1,
  overlap = 0,
  cfg = 1,
  colorFix = 'none',
}: UpscaleSettings): void {
  const refuse = (what: string, got: unknown, expected: string): never => {
    throw new RangeError(`${what} is ${String(got)}, expected ${expected}`);
  };
  if (!Number.isInteger(tile / 8) || tile < 16)
    refuse('tile', tile, 'a multiple of 8 from 16 on, such as 128');
  if (!Number.isInteger(tileBatch) || tileBatch < 1) {
    refuse('tileBatch', tileBatch, 'a whole number of at least 1');
  }
  if (!(overlap >= 0 && overlap <= 0.5)) refuse('overlap', overlap, 'a number from 0 to 0.5');
  if (!(cfg >= 1 && cfg < Infinity)) refuse('cfg', cfg, 'a number from 1 (off) on');
  if (!['none', 'wavelet', 'ycbcr'].includes(colorFix)) {
    refuse('colorFix', colorFix, 'none, wavelet or ycbcr');
  }
}

/** Reported while a picture is upscaled. */
export interface UpscaleProgress extends Omit<TileProgress, 'stage'> {
  /** `finish` counts 0 or 1 of 1. */
  readonly stage: TileProgress['stage'] | 'finish';
}
