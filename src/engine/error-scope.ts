/**
 * Error scopes. They open and close between two awaits, never across one: the device is somebody else's, and
 * a scope left open would catch their errors.
 */
import { DeviceLostError } from './errors.ts';

/** What work gives, and what WebGPU has against it. */
export interface Scoped<T> {
  readonly result: T;
  /** A message, or nothing. Rejects with DeviceLostError where the device ended meanwhile. */
  readonly error: Promise<string | undefined>;
}

/** Does `work`, which is synchronous; what it throws is thrown. */
export function inScope<T>(device: GPUDevice, filter: GPUErrorFilter, work: () => T): Scoped<T> {
  device.pushErrorScope(filter);
  let error: Promise<string | undefined>;
  let result: T;
  try {
    result = work();
  } finally {
    error = closeScope(device);
    error.catch(() => {}); // nobody may ask for it
  }
  return { result, error };
}

const closeScope = (device: GPUDevice): Promise<string | undefined> =>
  device.popErrorScope().then(
    (error) => error?.message,
    // Every scope of ours was opened: browsers reject when their GPU process is gone, before `device.lost` tells.
    isLost,
  );

/** Throws DeviceLostError: what else WebGPU rejects with, `cause`, has names of other meanings, such as AbortError. */
export function isLost(cause: unknown): never {
  const message = cause instanceof Error ? cause.message : String(cause);
  throw new DeviceLostError(`the device was lost: ${message}`, { cause });
}
