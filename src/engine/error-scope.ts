/**
 * The end of an error scope. Scopes open and close between two awaits, never across one: the device is
 * somebody else's, and a scope left open would catch their errors.
 */
import { DeviceLostError } from './errors.ts';

/** The message of what the scope caught, or nothing. DeviceLostError where the device ended meanwhile. */
export const closeScope = (device: GPUDevice): Promise<string | undefined> =>
  device.popErrorScope().then(
    (error) => error?.message,
    // Every scope of ours was opened: browsers reject when their GPU process is gone, before `device.lost` tells.
    (cause: unknown) => {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new DeviceLostError(`the device was lost: ${message}`, { cause });
    },
  );

/**
 * What `work` gives, and the message of what WebGPU has against it, or nothing. `work` is synchronous, and
 * what it throws is thrown. DeviceLostError as `closeScope`.
 */
export function inScope<T>(
  device: GPUDevice,
  filter: GPUErrorFilter,
  work: () => T,
): { readonly result: T; readonly error: Promise<string | undefined> } {
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
