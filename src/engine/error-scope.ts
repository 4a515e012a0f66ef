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
