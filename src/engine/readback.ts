/** GPU → CPU. The only `mapAsync` in src. */
import { nudged } from './nudge.ts';

export interface ByteRange {
  /** A multiple of 4. */
  readonly offset: number;
  readonly bytes: number;
}

/** Copies `bytes` of a buffer (usage COPY_SRC) to the CPU, after all work submitted so far. */
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
  const staging = device.createBuffer({
    label: 'invsr/readback',
    size: ranges.reduce((sum, range) => sum + sizeOf(range), 0),
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  try {
    const encoder = device.createCommandEncoder({ label: 'invsr/readback' });
    let end = 0;
    const starts = ranges.map((range) => {
      const start = end;
      encoder.copyBufferToBuffer(buffer, range.offset, staging, start, sizeOf(range));
      end += sizeOf(range);
      return start;
    });
    device.queue.submit([encoder.finish()]);
    await nudged(device, staging.mapAsync(GPUMapMode.READ));
    const mapped = staging.getMappedRange();
    return ranges.map(({ bytes }, i) => mapped.slice(starts[i] ?? 0, (starts[i] ?? 0) + bytes));
  } finally {
    staging.destroy();
  }
}
