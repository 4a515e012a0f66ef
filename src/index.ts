/**
 * invsr-webgpu: InvSR x4 super-resolution on a WebGPU device of yours.
 *
 * The texture-in, texture-out API comes with the browser work; what is exported now is what the
 * command line is made of.
 */
export { type Capabilities, capabilitiesOf, requiredDevice } from './engine/device.ts';
export { createContext, type EngineContext } from './engine/context.ts';
export { CompileError, DeviceError, DeviceLostError } from './engine/errors.ts';
export { type Model, openModel } from './invsr/model.ts';
export type { Pixels } from './invsr/pixels.ts';
export {
  Upscaler,
  type UpscalerOptions,
  type UpscaleProgress,
  type UpscaleRequest,
  type UpscaleResult,
} from './invsr/upscaler.ts';
export type { VaeTiling } from './invsr/vae-tiling.ts';
export { type Folder, memoryFolder, urlFolder } from './weights/folder.ts';
