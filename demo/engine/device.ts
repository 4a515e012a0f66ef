/** The device that the page makes: everything that helps the engine. */
import { type Capabilities, capabilitiesOf, requiredDevice } from '../../src/index.ts';

/** No device here; `reason` decides what the page advises. */
export class NoWebGpuError extends Error {
  override readonly name = 'NoWebGpuError';
  /** `browser`: no WebGPU at all; `insecure`: the address is not https; `adapter`: no usable graphics card. */
  readonly reason: 'browser' | 'insecure' | 'adapter';

  constructor(reason: NoWebGpuError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface PageDevice {
  readonly device: GPUDevice;
  readonly capabilities: Capabilities;
}

export async function openDevice(): Promise<PageDevice> {
  if (!globalThis.isSecureContext) {
    throw new NoWebGpuError('insecure', 'WebGPU needs an https address.');
  }
  // Not in the types of a browser that has it, missing in one that has not.
  const gpu = (navigator as { readonly gpu?: GPU }).gpu;
  if (!gpu) throw new NoWebGpuError('browser', 'This browser has no WebGPU.');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new NoWebGpuError('adapter', 'No graphics adapter is available.');
  try {
    const device = await adapter.requestDevice(requiredDevice(adapter, { label: 'invsr page' }));
    return { device, capabilities: capabilitiesOf(device) };
  } catch (cause) {
    throw new NoWebGpuError('adapter', 'The graphics adapter refused to start.', { cause });
  }
}
