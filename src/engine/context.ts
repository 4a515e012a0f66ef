/**
 * What executors on one borrowed device share: pipelines, slot and weight buffers, the pace at which
 * the device works. One context per InvSR instance; it never destroys the device nor sets a handler.
 */
import { Allocator, type MemoryAccount } from './allocator.ts';
import { type Capabilities, capabilitiesOf, targetOf } from './device.ts';
import { DeviceLostError } from './errors.ts';
import type { Target } from './kernel.ts';
import { type PipelineCache, pipelineCacheOf } from './pipelines.ts';
import { createQueue, type Queue } from './queue.ts';
import { SlotPool } from './slot-pool.ts';
import { PACE } from './submits.ts';
import { WeightStore } from './weight-store.ts';

/** Made by {@link createContext}; give it to all networks of one device and model. */
export interface EngineContext {
  /** Yours, on loan. */
  readonly device: GPUDevice;
  readonly capabilities: Capabilities;
  /** What kernels are generated for. */
  readonly target: Target;
  readonly pipelines: PipelineCache;
  readonly allocator: Allocator;
  /** Bytes of GPU buffers and textures, now and at the worst moment. */
  readonly memory: MemoryAccount;
  readonly slots: SlotPool;
  readonly weights: WeightStore;
  /** Work (submits.ts) per millisecond, as measured so far. */
  rate: number;
  /** Aborted with DeviceLostError when the device is lost. */
  readonly lost: AbortSignal;
  /** Runs `work` after everything queued before it: executors share slots, so one at a time. */
  readonly exclusive: Queue;
  /** Frees the weights' buffers. Dispose of networks first; the device stays yours to destroy. */
  dispose(): void;
}

/**
 * The state that everything on `device` shares. One per model: weights are known by their names.
 * Works on any device within its limits; requiredDevice(adapter) asks for all that helps. `matrix`:
 * subgroup matrices that were checked on it; `designs`: what tuning found. TypeError: no device.
 */
export function createContext(
  device: GPUDevice,
  { matrix, designs }: Pick<Target, 'matrix' | 'designs'> = {},
): EngineContext {
  // JavaScript hands on adapters, and promises of devices. No device at all: capabilitiesOf tells.
  if (device && !('queue' in device)) {
    throw new TypeError(
      'device is no GPUDevice, expected what `await adapter.requestDevice(requiredDevice(adapter))` gives',
    );
  }
  const capabilities = capabilitiesOf(device);
  const target = {
    ...targetOf(capabilities),
    ...(matrix && { matrix }),
    ...(designs && { designs }),
  };
  const allocator = new Allocator(device, capabilities);
  const weights = new WeightStore(device, allocator);
  const lost = new AbortController();
  void device.lost.then(({ message, reason }) =>
    lost.abort(new DeviceLostError(`the device was lost (${reason}): ${message}`)),
  );
  return {
    device,
    capabilities,
    target,
    pipelines: pipelineCacheOf(device),
    allocator,
    memory: allocator.account,
    slots: new SlotPool(allocator),
    weights,
    rate: PACE[capabilities.family].rate,
    lost: lost.signal,
    exclusive: createQueue(),
    dispose: () => weights.dispose(),
  };
}
