/**
 * `invsr-webgpu/rows`: pixels of the host in, pixels out; what the command line is made of.
 *
 * `planHost` and `upscaleRows` take rows of a `RowSource` through `upscaler.patches()` and give finished
 * rows, so that neither picture nor result is ever whole in memory. `fitMemory` makes options modest until
 * they fit. `Upscaler.upscale` takes a whole picture, as the official code does where `official` is set.
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
export type { Pixels } from './invsr/pixels.ts';
export { pixelRows, type RowSource } from './invsr/row-source.ts';
export type { PatchOptions, PatchProgress, PatchSource, TileBatch } from './invsr/tile-source.ts';
export type { PrecisionWarning } from './invsr/stage-precision.ts';
export {
  Upscaler,
  type UpscalerOptions,
  type UpscaleProgress,
  type UpscaleRequest,
  type UpscaleResult,
} from './invsr/upscaler.ts';
export type { VaeTiling } from './invsr/vae-tiling.ts';
