/** `invsr-webgpu/node`: what only Node needs. */
export {
  createDevice,
  type DeviceOptions,
  listAdapters,
  type NodeDevice,
  type Toggles,
} from './engine/node-device.ts';
export type { Capabilities } from './engine/device.ts';
