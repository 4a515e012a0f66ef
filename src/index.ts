/**
 * invsr-webgpu: InvSR x4 super-resolution on a WebGPU device of yours.
 *
 *   import { InvSR, readImage } from 'invsr-webgpu';
 *   import { createDevice, nodeFolder } from 'invsr-webgpu/node';
 *
 *   const { device } = await createDevice(); // browser: adapter.requestDevice(requiredDevice(adapter))
 *   const sr = await InvSR.load({ device, weights: nodeFolder('weights/invsr-nano') }); // or an address
 *   const picture = { width: 64, height: 48, data: new Uint8ClampedArray(4 * 64 * 48) }; // or a texture, canvas, …
 *   const texture = await sr.upscale(picture, { seed: 1 }); // 256 x 192, on your device
 *   const { data } = await readImage(device, texture); // where the page needs the pixels
 *   texture.destroy();
 *   sr.dispose();
 *   device.destroy();
 *
 * `upscale` takes textures, buffers and images of the page, regions of them, and writes new textures or
 * yours; it never waits for the GPU to hand something back, and shares the device with whatever else
 * draws on it. `InvSR.open` and `plan` tell what a run will take before anything is loaded.
 *
 * Beside it, loaded only by who imports them:
 *
 * - `invsr-webgpu/browser` weights kept by the browser, dropped files, downloads
 * - `invsr-webgpu/node`    devices and files in Node
 * - `invsr-webgpu/rows`    pictures too large to be whole in memory, row by row
 * - `invsr-webgpu/prompt`  prompts of your own
 * - `invsr-webgpu/tune`    which designs of the kernels are the fastest on a device
 * - `invsr-webgpu/worker`  the same as InvSR, in a worker
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
  PlanOptions,
  Progress,
  Region,
  Transfer,
  UpscaleOptions,
} from './library/types.ts';
export { type Capabilities, capabilitiesOf, requiredDevice } from './engine/device.ts';
export type { EngineContext } from './engine/context.ts';
export { openContext } from './graph/open-context.ts';
export {
  AdapterNameError,
  CompileError,
  DeviceError,
  DeviceLostError,
  type DeviceProblem,
} from './engine/errors.ts';
export { type Designs, ShapeError } from './engine/kernel.ts';
export { WeightError } from './graph/weights.ts';
export type { ColorFix } from './invsr/image-graphs.ts';
export {
  ConfigError,
  ImageSizeError,
  MemoryError,
  NonFiniteError,
  TimestepError,
} from './invsr/errors.ts';
export type { MemoryPlan } from './invsr/memory-plan.ts';
export { type Model, openModel, type Tensors } from './invsr/model.ts';
export type { PrecisionWarning } from './invsr/stage-precision.ts';
export { readTensors } from './weights/tensor-reads.ts';
export { CheckpointError } from './weights/error.ts';
export { type Folder, memoryFolder, urlFolder, type UrlFolderOptions } from './weights/folder.ts';
export { blobSource, type ByteSource, type HttpOptions, httpSource } from './weights/source.ts';
