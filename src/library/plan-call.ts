/** What a call needs to know before its turn: options with every default, and the geometry that follows. */
import type { EngineContext } from '../engine/context.ts';
import type { ImageSize, Rectangle } from '../engine/gpu-image.ts';
import { textureBytes } from '../engine/allocator.ts';
import { checkGuidance } from '../invsr/check-model.ts';
import { expectFrameFits, type FramePlan, planFrame, lrSize } from '../invsr/gpu-frame.ts';
import type { Model } from '../invsr/model.ts';
import { timestepsOf } from '../invsr/scheduler.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import { type UpscaleSettings, withDefaults } from '../invsr/upscale-settings.ts';
import { isGpuImage } from './input.ts';
import { outputFormat } from './output.ts';
import type {
  ImageInput,
  LoadOptions,
  NetworkOptions,
  PlanOptions,
  UpscaleOptions,
} from './types.ts';
import { expectRegion, windowOf } from './window.ts';

export type Settings = Required<UpscaleSettings>;

/** RangeError: an option makes no sense. ConfigError: `cfg` needs a negative prompt and the model has none. */
export function settingsOf(
  context: EngineContext,
  model: Model,
  { precision, lowMemory, check, onWarning, ...defaults }: LoadOptions,
  own: NetworkOptions & Pick<UpscaleOptions, 'colorFix'>,
): Settings {
  const set = Object.entries(own).filter(([, value]) => value !== undefined);
  const options: typeof own = { ...defaults, ...Object.fromEntries(set) };
  const { steps, startTimestep, tile, tileBatch, overlap, cfg, colorFix = 'wavelet' } = options;
  const fixed = { precision, lowMemory, check, onWarning };
  const asked = { ...fixed, tile, tileBatch, overlap, cfg, colorFix };
  const given = Object.fromEntries(Object.entries(asked).filter(([, v]) => v !== undefined));
  const timesteps = timestepsOf(steps, startTimestep);
  const settings = withDefaults({ ...(given as UpscaleSettings), timesteps }, context);
  checkGuidance(model, settings.cfg); // TileNetworks does, too, but only when it is the call's turn
  return settings;
}

const TRANSFERS: readonly unknown[] = [undefined, 'srgb', 'linear'];

/** RangeError where a value makes no sense; types alone do not stop JavaScript. */
export function expectCallOptions({
  seed = 0,
  budgetMs = 1,
  inputTransfer,
  outputTransfer,
}: Pick<UpscaleOptions, 'seed' | 'budgetMs' | 'inputTransfer' | 'outputTransfer'>): void {
  const expect = (holds: boolean, what: string, got: unknown, expected: string): void => {
    if (!holds) throw new RangeError(`${what} is ${String(got)}, expected ${expected}`);
  };
  expect(Number.isSafeInteger(seed) && seed >= 0, 'seed', seed, 'a whole number from 0 on');
  expect(budgetMs > 0, 'budgetMs', budgetMs, 'milliseconds above 0');
  for (const [what, got] of Object.entries({ inputTransfer, outputTransfer })) {
    expect(TRANSFERS.includes(got), what, got, 'srgb or linear');
  }
}

export interface CallPlan {
  /** What of the input is the result, and what is computed for it. */
  readonly region: Rectangle;
  readonly window: Rectangle;
  readonly frame: FramePlan;
}

/** RangeError: a region outside. ImageSizeError: too large for the device. */
export function planCall(
  { capabilities }: EngineContext,
  size: ImageSize,
  settings: Settings,
  region: Rectangle = { x: 0, y: 0, ...size },
): CallPlan {
  expectRegion(region, size);
  const isWhole = region.width === size.width && region.height === size.height;
  const window = isWhole ? region : windowOf(region, size, settings.tile);
  const lr = lrSize(window);
  expectFrameFits(capabilities, lr);
  const frame = planFrame(lr, { ...settings, origin: { x: window.x, y: window.y } });
  return { region, window, frame };
}

/** Bytes of the images that a call makes besides its frame's: a copy of what comes from the page, and the result. */
export function imageBytes(
  input: ImageInput | ImageSize,
  { region, window }: Pick<CallPlan, 'region' | 'window'>,
  { output, inputTransfer = 'srgb', outputTransfer = inputTransfer }: PlanOptions,
): number {
  const copy = isGpuImage(input) ? 0 : textureBytes({ ...window, format: 'rgba8unorm' });
  if (output) return copy;
  return copy + textureBytes({ ...resultSize(region), format: outputFormat(outputTransfer) });
}

export const resultSize = ({ width, height }: ImageSize): ImageSize => ({
  width: SCALE * width,
  height: SCALE * height,
});
