/**
 * GPU time per dispatch by timestamp queries: each dispatch gets a pass of its own, which costs some
 * microseconds, so only when asked for. Values are exact where the device is made by createDevice;
 * browsers round them to 100 µs.
 */
import { DeviceError } from './errors.ts';
import type { Dispatch } from './plan.ts';
import { readBuffer } from './readback.ts';

export interface DispatchTiming {
  readonly path: string;
  /** The kernel's name and variant. */
  readonly name: string;
  readonly variant: string;
  readonly nanoseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

export interface Profiler {
  /** For the dispatch's pass. */
  timestampsFor(dispatch: Dispatch): GPUComputePassTimestampWrites;
  /** Timings of the dispatches since the last call, in order. */
  read(): Promise<DispatchTiming[]>;
  dispose(): void;
}

/** WebGPU's limit on a query set's count. */
const QUERIES_PER_SET = 4096;

export function createProfiler(device: GPUDevice): Profiler {
  if (!device.features.has('timestamp-query')) {
    throw new DeviceError({
      what: 'profiling',
      needed: 'the feature timestamp-query',
      got: 'a device without it',
      remedy: 'Create the device with requiredDevice(adapter), or use another adapter.',
    });
  }
  const sets: GPUQuerySet[] = [];
  const dispatches: Dispatch[] = [];

  return {
    timestampsFor(dispatch) {
      const query = 2 * dispatches.length;
      dispatches.push(dispatch);
      const index = Math.floor(query / QUERIES_PER_SET);
      sets[index] ??= device.createQuerySet({
        label: 'invsr/profiler',
        type: 'timestamp',
        count: QUERIES_PER_SET,
      });
      return {
        querySet: sets[index],
        beginningOfPassWriteIndex: query % QUERIES_PER_SET,
        endOfPassWriteIndex: (query % QUERIES_PER_SET) + 1,
      };
    },

    async read() {
      const done = dispatches.splice(0);
      const timings: DispatchTiming[] = [];
      for (let first = 0; first < done.length; first += QUERIES_PER_SET / 2) {
        const some = done.slice(first, first + QUERIES_PER_SET / 2);
        const set = sets[(2 * first) / QUERIES_PER_SET];
        if (!set) break;
        const times = await resolve(device, set, 2 * some.length);
        for (const [i, { path, kernel }] of some.entries()) {
          const { name, variant, cost } = kernel;
          // Drivers may reset the counter between the two writes; that is no time at all.
          const nanoseconds = Math.max(0, Number((times[2 * i + 1] ?? 0n) - (times[2 * i] ?? 0n)));
          timings.push({ path, name, variant, nanoseconds, ...cost });
        }
      }
      return timings;
    },

    dispose() {
      for (const set of sets.splice(0)) set.destroy();
    },
  };
}

async function resolve(device: GPUDevice, set: GPUQuerySet, count: number) {
  const buffer = device.createBuffer({
    label: 'invsr/profiler',
    size: 8 * count,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  try {
    const encoder = device.createCommandEncoder({ label: 'invsr/profiler' });
    encoder.resolveQuerySet(set, 0, count, buffer, 0);
    device.queue.submit([encoder.finish()]);
    return new BigUint64Array(await readBuffer(device, buffer, 8 * count));
  } finally {
    buffer.destroy();
  }
}
