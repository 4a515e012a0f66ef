/**
 * invsr-webgpu: InvSR x4 super-resolution on a WebGPU device of yours.
 *
 *   import { createContext, openModel, Upscaler } from 'invsr-webgpu';
 *   import { createDevice, nodeFolder } from 'invsr-webgpu/node';
 *
 *   const { device } = await createDevice(); // browser: a device made with requiredDevice(adapter)
 *   const context = createContext(device);
 *   const model = await openModel(nodeFolder('weights/invsr-nano')); // browser: urlFolder(address)
 *   const upscaler = new Upscaler(context, model, { colorFix: 'wavelet' });
 *   const picture = { width: 64, height: 48, pixels: new Uint8Array(4 * 64 * 48) }; // rgba8
 *   const { width, height, pixels } = await upscaler.upscale(picture, { seed: 1 }); // 256 x 192
 *   upscaler.dispose();
 *   context.dispose();
 *   await model.close();
 *   device.destroy();
 *
 * Pictures too large to be whole in memory: `planHost` and `upscaleRows` take rows of a `RowSource`
 * through `upscaler.patches()` and give finished rows.
 *
 * Kernels have several designs. `tune(context, model)` measures which are the fastest on a device;
 * `packDesigns` makes JSON of them to be kept, `readDesigns` reads it where nothing has changed since,
 * and `createContext(device, { designs })` uses them.
 *
 * The texture-in, texture-out API comes with the browser work; what is exported now is what the
 * command line is made of.
 */
export { InvSR } from './library/invsr.ts';
export { inputSize } from './library/input.ts';
export { readImage, type ReadImageOptions, type ReadPixels } from './library/read-image.ts';
export type {
  GpuImage,
  ImageBuffer,
  ImageInput,
  LoadOptions,
  MemoryUse,
  NetworkOptions,
  PixelData,
  Progress,
  Region,
  Transfer,
  UpscaleOptions,
} from './library/types.ts';
export { type Capabilities, capabilitiesOf, requiredDevice } from './engine/device.ts';
export { createContext, type EngineContext } from './engine/context.ts';
export {
  AdapterNameError,
  CompileError,
  DeviceError,
  DeviceLostError,
  type DeviceProblem,
} from './engine/errors.ts';
export { type Designs, ShapeError } from './engine/kernel.ts';
export { WeightError } from './graph/weights.ts';
export { ConfigError } from './invsr/config-fields.ts';
export {
  type HostFrameOptions,
  type PatchStore,
  type ResultRows,
  upscaleRows,
} from './invsr/host-frame.ts';
export { type HostPlan, type HostPlanOptions, planHost } from './invsr/host-plan.ts';
export type { ColorFix } from './invsr/image-graphs.ts';
export { fitMemory, type MemoryFit } from './invsr/memory-fit.ts';
export { MemoryError, type MemoryPlan } from './invsr/memory-plan.ts';
export { type Model, openModel, type Tensors } from './invsr/model.ts';
export { type Dump, type NamedDump, ParityError } from './invsr/parity.ts';
export type { Pixels } from './invsr/pixels.ts';
export {
  OFFICIAL_NEGATIVE_PROMPT,
  OFFICIAL_PROMPT,
  type PromptOptions,
  promptStates,
} from './invsr/prompt.ts';
export type { PromptCache } from './invsr/prompt-cache.ts';
export { pixelRows, type RowSource } from './invsr/row-source.ts';
export { TimestepError } from './invsr/scheduler.ts';
export { NonFiniteError, type PrecisionWarning } from './invsr/stage-precision.ts';
export {
  ImageSizeError,
  Upscaler,
  type UpscalerOptions,
  type UpscaleProgress,
  type UpscaleRequest,
  type UpscaleResult,
} from './invsr/upscaler.ts';
export { type BackgroundOptions, tuneInBackground } from './tune/background.ts';
export {
  adapterKey,
  type Identity,
  identityOf,
  packDesigns,
  type ReadDesigns,
  readDesigns,
  type TunedDesigns,
} from './tune/designs-file.ts';
export { type ClassResult, type DesignResult, type TuneResult } from './tune/tune.ts';
export { tune, type TuneModelOptions } from './tune/tune-model.ts';
export type { PatchOptions, PatchProgress, PatchSource, TileBatch } from './invsr/tile-source.ts';
export type { VaeTiling } from './invsr/vae-tiling.ts';
export { readTensors } from './weights/checkpoint.ts';
export { CheckpointError } from './weights/error.ts';
export { type Folder, memoryFolder, urlFolder, type UrlFolderOptions } from './weights/folder.ts';
export { blobSource, type ByteSource, type HttpOptions, httpSource } from './weights/source.ts';
