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
  /** For dispatches that go to the queue together. */
  nextSubmit(): ProfiledSubmit;
  /** Timings of the dispatches that went to the queue since the last call, in order; between runs. */
  read(): Promise<DispatchTiming[]>;
  dispose(): void;
}

export interface ProfiledSubmit {
  /** For the dispatch's pass. */
  timestampsFor(dispatch: Dispatch): GPUComputePassTimestampWrites;
  /** They are in the queue: what an abort keeps from it has no times. */
  submitted(): void;
}

/** A dispatch that is timed: `query` and the one after it are its begin and end. */
interface Timed {
  readonly dispatch: Dispatch;
  readonly query: number;
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
  let queries = 0;
  const submits: (readonly Timed[])[] = [];

  return {
    nextSubmit() {
      const timed: Timed[] = [];
      return {
        timestampsFor(dispatch) {
          const query = queries;
          queries += 2;
          timed.push({ dispatch, query });
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
        submitted: () => void submits.push(timed),
      };
    },

    async read() {
      const done = submits.splice(0);
      const end = done.length > 0 ? queries : 0;
      queries = 0;
      const times: bigint[] = [];
      for (let first = 0; first < end; first += QUERIES_PER_SET) {
        const set = sets[first / QUERIES_PER_SET];
        const count = Math.min(end - first, QUERIES_PER_SET);
        if (set) times.push(...(await resolve(device, set, count)));
      }
      return timingsOf(done, times);
    },

    dispose() {
      for (const set of sets.splice(0)) set.destroy();
    },
  };
}

/** `times`: by query. */
function timingsOf(
  submits: readonly (readonly Timed[])[],
  times: readonly bigint[],
): DispatchTiming[] {
  const timed = submits.flatMap((dispatches, submit) =>
    dispatches.map(({ dispatch, query }) => {
      const [begin = 0n, end = 0n] = times.slice(query, query + 2);
      return { dispatch, submit, begin, end };
    }),
  );
  const origin = timed.reduce(
    (least, { begin }) => (begin < least ? begin : least),
    timed[0]?.begin ?? 0n,
  );
  return timed.map(({ dispatch, submit, begin, end }) => {
    const { path, kernel } = dispatch;
    const { name, variant, workgroups, cost } = kernel;
    return {
      path,
      name,
      variant,
      begin: Number(begin - origin),
      // Drivers may reset the counter between the two writes; that is no time at all.
      nanoseconds: Math.max(0, Number(end - begin)),
      submit,
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
