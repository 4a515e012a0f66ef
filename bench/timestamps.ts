/** Timestamps around passes, in pairs: one query set and the buffers to read it. */
import { readBuffer } from '../src/engine/readback.ts';

export interface Timestamps {
  /** For pass `i` of those whose readings come next. */
  writesFor(i: number): GPUComputePassTimestampWrites;
  /** Begin and end of the first `count` passes, in nanoseconds. */
  readings(count: number): Promise<bigint[]>;
  /** What the passes took; undefined where the clock went backwards, which is no time at all. */
  milliseconds(count: number): Promise<(number | undefined)[]>;
  dispose(): void;
}

export function openTimestamps(device: GPUDevice, passes: number): Timestamps {
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * passes });
  const buffer = device.createBuffer({
    size: 16 * passes,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const readings = async (count: number): Promise<bigint[]> => {
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(querySet, 0, 2 * count, buffer, 0);
    device.queue.submit([encoder.finish()]);
    // Waiting for a mapping keeps one of Node's cores busy, which a software adapter needs (node-polling.ts).
    await device.queue.onSubmittedWorkDone();
    return [...new BigUint64Array(await readBuffer(device, buffer, 16 * count))];
  };
  return {
    writesFor: (i) => ({
      querySet,
      beginningOfPassWriteIndex: 2 * i,
      endOfPassWriteIndex: 2 * i + 1,
    }),
    readings,
    async milliseconds(count) {
      const times = await readings(count);
      return Array.from({ length: count }, (_, i) => {
        const nanoseconds = Number((times[2 * i + 1] ?? 0n) - (times[2 * i] ?? 0n));
        return nanoseconds > 0 ? nanoseconds / 1e6 : undefined;
      });
    },
    dispose() {
      querySet.destroy();
      buffer.destroy();
    },
  };
}
