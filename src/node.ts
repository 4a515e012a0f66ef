/** `invsr-webgpu/node`: what only Node needs, devices and files. */
export type { DeviceOptions, Toggles } from './engine/node-adapters.ts';
export {
  createDevice,
  type ListedAdapter,
  listAdapters,
  type NodeDevice,
} from './engine/node-device.ts';
export type { Capabilities } from './engine/device.ts';
export type { MatrixFinding } from './engine/matrix-report.ts';
export { fileSource, nodeFolder } from './weights/node-file.ts';
export { type NodeCache, nodeCache } from './weights/node-cache.ts';
