/** A device with a context for the tests of one block, with smallPlan's weight in it; looked after at the end. */
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import { byteLength, type TensorType } from '../../src/engine/kernel.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { type AdapterName, openTestDevice, type TestDevice } from './device.ts';
import { smallPlan } from './plans.ts';
import { uploadWeight } from './upload-weight.ts';

export const SMALL: TensorType = { dtype: 'f32', shape: [1, 8, 8, 4] };
export const LARGE: TensorType = { dtype: 'f32', shape: [1, 512, 512, 4] };

/** smallPlan's weight, an image of type SMALL, and what becomes of it. */
export const WEIGHT = Float32Array.from({ length: 256 }, (_, i) => i / 8);
export const IMAGE = Float32Array.from({ length: 256 }, (_, i) => 100 - i);
export const RESULT = IMAGE.map((v, i) => 2 * v + 6 * WEIGHT[i]!);

export const asBytes = (data: Float32Array): Uint8Array => new Uint8Array(data.buffer);

export interface OnDevice extends TestDevice {
  readonly context: EngineContext;
  /** Destroyed at the end. */
  readonly buffer: (type: TensorType, data?: Float32Array) => GPUBuffer;
  readonly read: (from: GPUBuffer, type: TensorType) => Promise<Float32Array>;
}

/** What the plans of harness/plans.ts read and write, of LARGE. */
export function largeExternals(device: GPUDevice): { image: GPUBuffer; result: GPUBuffer } {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const make = (): GPUBuffer => device.createBuffer({ size: byteLength(LARGE), usage });
  return { image: make(), result: make() };
}

/** Open while the block's tests run; at their end nothing may be left, nor have reached the device's owner. */
export function useDevice(name: AdapterName): () => OnDevice {
  let on: OnDevice;
  const uncaptured = vi.fn();
  const buffers: GPUBuffer[] = [];
  beforeAll(async () => {
    const opened = await openTestDevice(name);
    const { device, target } = opened;
    device.addEventListener('uncapturederror', uncaptured);
    const context = createContext(device);
    await uploadWeight(context.weights, smallPlan(SMALL, target).weights[0]!, asBytes(WEIGHT));
    on = {
      ...opened,
      context,
      buffer(type, data) {
        const made = device.createBuffer({
          size: byteLength(type),
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
        });
        if (data) device.queue.writeBuffer(made, 0, data as Float32Array<ArrayBuffer>);
        buffers.push(made);
        return made;
      },
      read: async (from, type) =>
        new Float32Array(await readBuffer(device, from, byteLength(type))),
    };
  });
  afterAll(() => {
    for (const buffer of buffers) buffer.destroy();
    on.context.dispose();
    expect(on.context.memory.bytes, 'bytes still allocated').toBe(0);
    expect(uncaptured).not.toHaveBeenCalled();
    on.device.destroy();
  });
  return () => on;
}
