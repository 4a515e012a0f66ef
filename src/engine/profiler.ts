/**
 * GPU time per dispatch by timestamp queries: each dispatch gets a pass of its own, which costs some
 * microseconds, so only when asked for. Values are exact where the device is made by createDevice;
 * browsers round them to 100 µs.
 */
import { DeviceError } from './errors.ts';
import type { Kernel } from './kernel.ts';
import type { Dispatch } from './plan.ts';
import { readBuffer } from './readback.ts';

export interface DispatchTiming {
  readonly path: string;
  /** The kernel's name and variant. */
  readonly name: string;
  readonly variant: string;
  /** Of the device's clock, from the earliest dispatch of the same `read` on. */
  readonly begin: number;
  readonly nanoseconds: number;
  /** Dispatches of one submit share it; counted from 0 in each `read`. */
  readonly submit: number;
  readonly workgroups: Kernel['workgroups'];
  readonly flops: number;
  readonly bytes: number;
}

export interface Profiler {
  /** What follows goes to the queue together. */
  nextSubmit(): void;
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
  const submits: number[] = [];
  let submit = 0;

  return {
    nextSubmit() {
      submit++;
    },

    timestampsFor(dispatch) {
      const query = 2 * dispatches.length;
      dispatches.push(dispatch);
      submits.push(submit);
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
      const inSubmits = submits.splice(0);
      const times: bigint[] = [];
      for (let first = 0; first < done.length; first += QUERIES_PER_SET / 2) {
        const count = Math.min(done.length - first, QUERIES_PER_SET / 2);
        const set = sets[(2 * first) / QUERIES_PER_SET];
        if (set) times.push(...(await resolve(device, set, 2 * count)));
      }
      return timingsOf(done, { times, submits: inSubmits });
    },

    dispose() {
      for (const set of sets.splice(0)) set.destroy();
    },
  };
}

/** `times`: begin and end of each dispatch. */
function timingsOf(
  dispatches: readonly Dispatch[],
  { times, submits }: { readonly times: readonly bigint[]; readonly submits: readonly number[] },
): DispatchTiming[] {
  const origin = times.reduce((least, time) => (time < least ? time : least), times[0] ?? 0n);
  return dispatches.map(({ path, kernel: { name, variant, workgroups, cost } }, i) => {
    const begin = Number((times[2 * i] ?? origin) - origin);
    const end = Number((times[2 * i + 1] ?? origin) - origin);
    return {
      path,
      name,
      variant,
      begin,
      // Drivers may reset the counter between the two writes; that is no time at all.
      nanoseconds: Math.max(0, end - begin),
      submit: (submits[i] ?? 0) - (submits[0] ?? 0),
      workgroups,
      ...cost,
    };
  });
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
