/** GPU → CPU. The only `mapAsync` in src. */
import { inScope, isLost } from './error-scope.ts';
import { DeviceError } from './errors.ts';
import { nudged } from './nudge.ts';

export interface ByteRange {
  /** A multiple of 4. */
  readonly offset: number;
  readonly bytes: number;
}

/** Copies `bytes` of a buffer (usage COPY_SRC) to the CPU, after all work submitted so far. DeviceError: no memory. DeviceLostError. */
export async function readBuffer(
  device: GPUDevice,
  buffer: GPUBuffer,
  bytes: number,
  offset = 0,
): Promise<ArrayBuffer> {
  const [all] = await readRanges(device, buffer, [{ offset, bytes }]);
  if (!all) throw new Error('nothing was read');
  return all;
}

/** The same for some ranges of it, by one copy each and one wait. */
export async function readRanges(
  device: GPUDevice,
  buffer: GPUBuffer,
  ranges: readonly ByteRange[],
): Promise<ArrayBuffer[]> {
  const sizeOf = ({ bytes }: ByteRange): number => Math.ceil(bytes / 4) * 4; // copies are of whole words
  const size = ranges.reduce((sum, range) => sum + sizeOf(range), 0);
  const label = 'invsr/readback';
  // At once, for later work may be submitted, and the buffer destroyed, before any answer.
  const { result: copied, error: refused } = inScope(device, 'validation', () =>
    inScope(device, 'out-of-memory', () => {
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      const staging = device.createBuffer({ label, size, usage });
      const encoder = device.createCommandEncoder({ label });
      let end = 0;
      const starts = ranges.map((range) => {
        const start = end;
        encoder.copyBufferToBuffer(buffer, range.offset, staging, start, sizeOf(range));
        end += sizeOf(range);
        return start;
      });
      device.queue.submit([encoder.finish()]);
      return { staging, starts };
    }),
  );
  const { staging, starts } = copied.result;
  try {
    const got = await copied.error;
    if (got !== undefined) {
      throw new DeviceError({
        what: 'no memory to read a result back',
        needed: `${size} bytes`,
        got,
        remedy: 'Try a smaller image, tile or tile batch.',
        isMemory: true,
      });
    }
    await nudged(device, staging.mapAsync(GPUMapMode.READ)).catch(isLost);
    const message = await refused; // after the loss, which refuses everything
    if (message !== undefined) throw new Error(`nothing was read: ${message}`);
    const mapped = staging.getMappedRange();
    return ranges.map(({ bytes }, i) => mapped.slice(starts[i] ?? 0, (starts[i] ?? 0) + bytes));
  } finally {
    staging.destroy();
  }
}
