/**
 * invsr-webgpu: InvSR x4 super-resolution on a WebGPU device of yours.
 *
 *   import { InvSR, readImage } from 'invsr-webgpu';
 *   import { createDevice, nodeFolder } from 'invsr-webgpu/node';
 *
 *   const { device } = await createDevice(); // browser: a device made with requiredDevice(adapter)
 *   const weights = nodeFolder('weights/invsr-nano'); // browser: its address
 *   const sr = await InvSR.load({ device, weights });
 *   const picture = { width: 64, height: 48, data: new Uint8Array(4 * 64 * 48) }; // or a texture, a canvas …
 *   const sharp = await sr.upscale(picture, { seed: 1 }); // a GPUTexture, 256 x 192, yours
 *   const { data } = await readImage(device, sharp); // rgba8; the only way back from the GPU
 *   sharp.destroy();
 *   sr.dispose();
 *   device.destroy();
 *
 * `upscale` takes textures, buffers and images of the page, regions of them, and writes new textures or
 * yours; it never waits for the GPU to hand something back, and shares the device with whatever else
 * draws on it. `InvSR.open` and `plan` tell what a run will take before anything is loaded.
 *
 * Beside it, loaded only by who imports them:
 *
 * - `invsr-webgpu/node`    devices and files in Node
 * - `invsr-webgpu/rows`    pictures too large to be whole in memory, row by row
 * - `invsr-webgpu/prompt`  prompts of your own
 * - `invsr-webgpu/tune`    which designs of the kernels are the fastest on a device
 *
 * `Upscaler` is the same for pixels on the host; with `invsr-webgpu/rows` it is what the command line is
 * made of.
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
export type { ColorFix } from './invsr/image-graphs.ts';
export { MemoryError, type MemoryPlan } from './invsr/memory-plan.ts';
export { type Model, openModel, type Tensors } from './invsr/model.ts';
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
export { readTensors } from './weights/checkpoint.ts';
export { CheckpointError } from './weights/error.ts';
export { type Folder, memoryFolder, urlFolder, type UrlFolderOptions } from './weights/folder.ts';
export { blobSource, type ByteSource, type HttpOptions, httpSource } from './weights/source.ts';
