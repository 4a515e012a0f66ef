/**
 * `invsr-webgpu/worker`: InvSR off the main thread, with the images of the page in and out.
 *
 * Vite and webpack find the worker's script by themselves. For others, build `invsr-webgpu/worker-script`
 * as an entry of its own and give `worker: new Worker(address, { type: 'module' })`.
 */
export {
  InvSRWorker,
  type WorkerLoadOptions,
  type WorkerUpscaleOptions,
} from './library/worker-client.ts';
