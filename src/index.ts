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
 * Beside it, loaded only by who imports them:
 *
 * - `invsr-webgpu/node`    devices and files in Node
 * - `invsr-webgpu/rows`    pictures too large to be whole in memory, row by row
 * - `invsr-webgpu/prompt`  prompts of your own
 * - `invsr-webgpu/tune`    which designs of the kernels are the fastest on a device
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
