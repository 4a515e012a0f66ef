/**
 * Loads of a folder's weights beside the least that any loader has to do:
 *
 *   read          the same bytes into one buffer that is used again
 *   read + copy   and from there, as they are, into weight buffers of the same sizes
 *   load, host    graph/load-weights.ts, the cores turning the weights
 *   load, device  the device turning them
 *   load, both    each half of them
 *
 * Each round does all five, in turns, with new weight buffers.
 */
import type { EngineContext } from '../src/engine/context.ts';
import { byteLength } from '../src/engine/kernel.ts';
import { loadWeights } from '../src/graph/load-weights.ts';
import { placeOf } from '../src/graph/weight-parts.ts';
import type { WeightPlace } from '../src/graph/weight-source.ts';
import { type Spread, spreadOf } from '../src/invsr/measure.ts';
import type { Opened } from './load-folder.ts';

export interface LoadRow {
  readonly name: string;
  readonly milliseconds: Spread;
  /** Of all cores together: what other work on the machine disturbs less. */
  readonly cpuMilliseconds: Spread;
}

export interface LoadRounds {
  readonly model: string;
  readonly fileBytes: number;
  readonly weightBytes: number;
  readonly rows: readonly LoadRow[];
  /** Who turns weights here by default. */
  readonly turnedBy: 'both' | 'device';
}

const CHUNK_BYTES = 4 * 2 ** 20;
const MAX_PENDING_BYTES = 64 * 2 ** 20;

/** The row that the others are held against. */
export const COPY = 'read + copy';

export async function loadRounds(
  { context, model, weights }: Opened,
  runs: number,
  onProgress: (text: string) => void,
): Promise<LoadRounds> {
  const subjects = weights
    .flatMap((weight) => {
      const place = placeOf(model, weight);
      return place ? [{ place, bytes: byteLength(weight.type), key: weight.key }] : [];
    })
    .toSorted((a, b) => a.place.order - b.place.order);
  const memory = new Uint8Array(CHUNK_BYTES);
  const works: Readonly<Record<string, () => Promise<void>>> = {
    read: async () => {
      for (const { place } of subjects) await readChunks(place, memory);
    },
    [COPY]: () => copy(context, subjects, memory),
    'load, host': () => loadWeights(context, weights, model, { turnedBy: 'host' }),
    'load, device': () => loadWeights(context, weights, model, { turnedBy: 'device' }),
    'load, both': () => loadWeights(context, weights, model, { turnedBy: 'both' }),
  };
  const times = Object.keys(works).map(() => ({ wall: [] as number[], cpu: [] as number[] }));
  const timed = async (row: number, work: () => Promise<void>): Promise<void> => {
    const cpu = process.cpuUsage();
    const began = performance.now();
    await work();
    await context.device.queue.onSubmittedWorkDone();
    times[row]?.wall.push(performance.now() - began);
    const { user, system } = process.cpuUsage(cpu);
    times[row]?.cpu.push((user + system) / 1000);
    context.weights.dispose();
    // Dawn gives memory back when it has seen the end of a later submit; new memory is slower.
    context.device.queue.submit([]);
    await context.device.queue.onSubmittedWorkDone();
  };
  // One more than counts: it compiles, and touches memory that the process did not have before.
  for (let round = 0; round <= runs; round++) {
    onProgress(round === 0 ? 'rounds: warm-up' : `round ${round} of ${runs}`);
    for (const [row, work] of Object.values(works).entries()) await timed(row, work);
  }
  return {
    model: model.name,
    fileBytes: subjects.reduce((sum, { place }) => sum + place.bytes, 0),
    weightBytes: subjects.reduce((sum, { bytes }) => sum + bytes, 0),
    rows: Object.keys(works).map((name, row) => ({
      name,
      milliseconds: spreadOf(times[row]?.wall.slice(1) ?? []),
      cpuMilliseconds: spreadOf(times[row]?.cpu.slice(1) ?? []),
    })),
    turnedBy: context.capabilities.isSoftware ? 'both' : 'device',
  };
}

async function readChunks(
  place: WeightPlace,
  memory: Uint8Array<ArrayBuffer>,
  use?: (chunk: Uint8Array<ArrayBuffer>, offset: number) => void,
): Promise<void> {
  for (let offset = 0; offset < place.bytes; offset += memory.length) {
    const chunk = memory.subarray(0, Math.min(memory.length, place.bytes - offset));
    await place.read(offset, chunk);
    use?.(chunk, offset);
  }
}

/** No conversion, no layout: into new buffers of the weights' sizes, as far as the bytes go. */
async function copy(
  { allocator, device: { queue } }: EngineContext,
  subjects: readonly {
    readonly place: WeightPlace;
    readonly bytes: number;
    readonly key: string;
  }[],
  memory: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffers = await allocator.create(
    subjects.map(({ key, bytes }) => ({ label: key, bytes, usage })),
  );
  let pending = 0;
  for (const [i, { place }] of subjects.entries()) {
    const buffer = buffers[i];
    if (!buffer) continue;
    await readChunks(place, memory, (chunk, offset) => {
      // Vectors are f16 in the file and f32 on the device, so all of them fit.
      queue.writeBuffer(buffer, offset, chunk, 0, chunk.length & ~3);
      pending += chunk.length;
    });
    if (pending < MAX_PENDING_BYTES) continue;
    pending = 0;
    await queue.onSubmittedWorkDone();
  }
  await queue.onSubmittedWorkDone();
  for (const buffer of buffers) allocator.destroy(buffer);
}
