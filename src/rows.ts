/**
 * `invsr-webgpu/rows`: pixels of the host in, pixels out; what the command line is made of.
 *
 * `fitMemory` gives networks, and options made modest until they fit; without a look at memory they are
 * `new TileNetworks(context, model, withDefaults(options, context))`. `planHost` and `upscaleRows` take rows of
 * a `RowSource` through their `patchSource` and give finished rows, so that neither picture nor result is ever
 * whole in memory. `upscalePixels` takes a whole picture, as the official code does where `official` is set.
 */
export {
  type HostFrameOptions,
  type PatchStore,
  type ResultRows,
  upscaleRows,
} from './invsr/host-frame.ts';
export { type HostPlan, type HostPlanOptions, planHost } from './invsr/host-plan.ts';
export { fitMemory, type MemoryFit } from './invsr/memory-fit.ts';
export { type Dump, type NamedDump, ParityError } from './invsr/parity.ts';
export { patchSource } from './invsr/patch-source.ts';
export type { Pixels } from './invsr/pixels.ts';
export { pixelRows, type RowSource } from './invsr/row-source.ts';
export type { PrecisionWarning } from './invsr/stage-precision.ts';
export { TileNetworks, type TileNetworksOptions } from './invsr/tile-networks.ts';
export type { PatchOptions, PatchSource, TileBatch, TileProgress } from './invsr/tile-source.ts';
export { type PixelsOptions, type PixelsResult, upscalePixels } from './invsr/upscale-pixels.ts';
export {
  type UpscaleProgress,
  type UpscaleSettings,
  withDefaults,
} from './invsr/upscale-settings.ts';
export type { VaeTiling } from './invsr/vae-tiling.ts';
