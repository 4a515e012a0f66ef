/** Devices that a test can take away, or leave without memory. */

/**
 * Runs in the page before anything else. `testDevice` is the latest device; buffers that are larger than
 * `testMemory.bytes` find no memory, as the browser says it: to the error scope around their creation.
 */
export function prepareDevice(memoryBytes: number): void {
  if (!('GPUDevice' in globalThis)) return;
  const memory = { bytes: memoryBytes };
  Object.assign(globalThis, { testMemory: memory });
  // oxlint-disable-next-line typescript/unbound-method -- called with the adapter
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    Object.assign(globalThis, { testDevice: device });
    return device;
  };

  interface Scope {
    readonly filter: GPUErrorFilter;
    isFull: boolean;
  }
  const scopes = new WeakMap<GPUDevice, Scope[]>();
  const scopesOf = (device: GPUDevice): Scope[] => {
    const known = scopes.get(device) ?? [];
    scopes.set(device, known);
    return known;
  };
  // oxlint-disable-next-line typescript/unbound-method -- called with the device
  const { createBuffer, popErrorScope, pushErrorScope } = GPUDevice.prototype;
  Object.assign(GPUDevice.prototype, {
    pushErrorScope(this: GPUDevice, filter: GPUErrorFilter): undefined {
      scopesOf(this).push({ filter, isFull: false });
      return pushErrorScope.call(this, filter);
    },
    createBuffer(this: GPUDevice, descriptor: GPUBufferDescriptor): GPUBuffer {
      const scope = scopesOf(this).findLast(({ filter }) => filter === 'out-of-memory');
      if (scope && descriptor.size > memory.bytes) scope.isFull = true;
      return createBuffer.call(this, descriptor);
    },
    async popErrorScope(this: GPUDevice): Promise<GPUError | null> {
      const isFull = scopesOf(this).pop()?.isFull === true;
      const error = await popErrorScope.call(this);
      return isFull ? new GPUOutOfMemoryError('not enough memory left') : error;
    },
  });
}
