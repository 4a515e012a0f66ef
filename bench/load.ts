/**
 * How fast weights come from a folder to the device, beside the least that any loader has to do, and
 * what a whole start takes with cold and with warm compile caches. See bench/README.md.
 *
 *   read          the same bytes into one buffer that is used again
 *   read + copy   and from there, as they are, into weight buffers of the same sizes
 *   load, host    graph/load-weights.ts, the cores turning the weights
 *   load, device  the device turning them
 *   load, both    each half of them
 *
 * Each round does all five, in turns, with new weight buffers. Starts are processes of their own.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EngineContext } from '../src/engine/context.ts';
import { loadPlanner } from '../src/graph/lower.ts';
import { openContext } from '../src/graph/open-context.ts';
import { byteLength } from '../src/engine/kernel.ts';
import { createDevice } from '../src/engine/node-device.ts';
import { weightId } from '../src/engine/weight-store.ts';
import { loadWeights } from '../src/graph/load-weights.ts';
import { placeOf } from '../src/graph/weight-parts.ts';
import type { WeightPlace } from '../src/graph/weight-source.ts';
import { type Spread, spreadOf } from '../src/invsr/measure.ts';
import { type Model, openModel } from '../src/invsr/model.ts';
import { STAGES } from '../src/invsr/tile-graph.ts';
import { TileNetworks } from '../src/invsr/tile-networks.ts';
import { nodeFolder } from '../src/weights/node-file.ts';
import { commitOfClone, describeMachine, machineOf } from './machine.ts';
import type { Machine } from './record.ts';
import { type Column, digits, markdownTable, textTable } from './table.ts';

export interface LoadFlags {
  readonly adapter: string;
  readonly runs: number;
}

/** One process from its start to the first tile it could compute. */
export interface Start {
  /** From the first read to the last weight, and to the last pipeline; they overlap. */
  readonly loadMs: number;
  readonly compileMs: number;
  /** Both, the slots and what depends on weights alone. */
  readonly readyMs: number;
  /** Most that the process held above what it held before, weights on a software adapter not counted. */
  readonly hostBytes: number;
}

export interface LoadRow {
  readonly name: string;
  readonly milliseconds: Spread;
  /** Of all cores together: what other work on the machine disturbs less. */
  readonly cpuMilliseconds: Spread;
}

export interface LoadRecord {
  readonly machine: Machine;
  readonly model: string;
  readonly fileBytes: number;
  readonly weightBytes: number;
  readonly rows: readonly LoadRow[];
  /** Who turns weights here by default. */
  readonly turnedBy: 'both' | 'device';
  readonly first: Start;
  readonly second: Start;
}

const CHUNK_BYTES = 4 * 2 ** 20;
const MAX_PENDING_BYTES = 64 * 2 ** 20;

interface Opened {
  readonly context: EngineContext;
  readonly model: Model;
  readonly networks: TileNetworks;
}

async function withNetworks<T>(
  path: string,
  adapter: string,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { device, capabilities } = await createDevice({ adapter });
  const context = await openContext(device);
  await loadPlanner(context.target);
  const model = await openModel(nodeFolder(path));
  const networks = new TileNetworks(context, model, {
    precision: capabilities.shaderF16 ? 'f16' : 'f32',
    tile: 128,
    timesteps: [200],
    cfg: 1,
    vaeTiling: null,
    lowMemory: false,
  });
  try {
    return await work({ context, model, networks });
  } finally {
    networks.dispose();
    context.dispose();
    device.destroy();
    await model.close();
  }
}

export async function benchLoad(
  path: string,
  { adapter, runs }: LoadFlags,
  onProgress: (text: string) => void,
): Promise<LoadRecord> {
  // An empty cache for Mesa's shaders; GPU drivers keep theirs elsewhere.
  const cache = mkdtempSync(join(tmpdir(), 'invsr-bench-load-'));
  const start = (): Promise<Start> => startOnce(path, adapter, cache);
  try {
    // The files get into the page cache by the first, which nobody looks at.
    onProgress('warm-up');
    await startOnce(path, adapter, undefined);
    onProgress('first start, nothing compiled');
    const first = await start();
    onProgress('second start');
    const second = await start();
    return await withNetworks(path, adapter, async (opened) => {
      const machine = machineOf(opened.context.capabilities, commitOfClone());
      return { machine, ...(await rounds(opened, runs, onProgress)), first, second };
    });
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

async function startOnce(path: string, adapter: string, cache: string | undefined): Promise<Start> {
  const [, bundle = ''] = process.argv;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [bundle, 'load-once', path, '--adapter', adapter],
    { env: { ...process.env, ...(cache !== undefined && { MESA_SHADER_CACHE_DIR: cache }) } },
  );
  return JSON.parse(stdout) as Start;
}

/** In a process of its own: `bench load-once`. */
export function loadOnce(path: string, { adapter }: Pick<LoadFlags, 'adapter'>): Promise<Start> {
  return withNetworks(path, adapter, async ({ context, networks }) => {
    const weights = STAGES.flatMap((stage) => networks.plan(stage, 1, KIND).weights);
    const stored = new Map(weights.map((weight) => [weightId(weight), byteLength(weight.type)]));
    const weightBytes = [...stored.values()].reduce((sum, bytes) => sum + bytes, 0);
    const idle = process.memoryUsage.rss();
    // On a software adapter the weights loaded so far are in this process, and no fault of ours.
    const share = context.capabilities.isSoftware ? weightBytes : 0;
    let loaded = 0;
    let hostBytes = 0;
    const look = (): void => {
      hostBytes = Math.max(hostBytes, process.memoryUsage.rss() - idle - loaded * share);
    };
    const began = performance.now();
    const at = { load: 0, compile: 0 };
    await networks.prepare(1, {
      ...KIND,
      onProgress: ({ stage, done, total }) => {
        if (stage === 'tiles') return;
        at[stage] = performance.now() - began;
        if (stage === 'load') loaded = done / total;
        if (loaded < 1) look();
      },
    });
    const readyMs = performance.now() - began;
    return { loadMs: at.load, compileMs: at.compile, readyMs, hostBytes };
  });
}

const COPY = 'read + copy';
const KIND = { noise: 'generated', dump: undefined } as const;

async function rounds(
  { context, model, networks }: Opened,
  runs: number,
  onProgress: (text: string) => void,
): Promise<Pick<LoadRecord, 'model' | 'fileBytes' | 'weightBytes' | 'rows' | 'turnedBy'>> {
  const all = STAGES.flatMap((stage) => networks.plan(stage, 1, KIND).weights);
  const weights = [...new Map(all.map((weight) => [weightId(weight), weight])).values()];
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

export function loadReport(
  { machine, model, fileBytes, weightBytes, rows, turnedBy, first, second }: LoadRecord,
  { isMarkdown }: { readonly isMarkdown: boolean },
): string {
  const table = isMarkdown ? markdownTable : textTable;
  const least = rows.find(({ name }) => name === COPY)?.milliseconds;
  const columns: Column<LoadRow>[] = [
    { title: 'ms', align: 'left', cell: ({ name }) => name },
    { title: 'median', cell: ({ milliseconds }) => digits(milliseconds.median) },
    { title: 'p10', cell: ({ milliseconds }) => digits(milliseconds.p10) },
    { title: 'p90', cell: ({ milliseconds }) => digits(milliseconds.p90) },
    { title: 'CPU', cell: ({ cpuMilliseconds }) => digits(cpuMilliseconds.median) },
    { title: 'GB/s', cell: ({ milliseconds }) => digits(fileBytes / milliseconds.median / 1e6) },
    {
      title: 'speed of read + copy (by p10)',
      cell: ({ milliseconds: { median, p10 } }) =>
        least ? `${percent(least.median / median)} (${percent(least.p10 / p10)})` : '',
    },
  ];
  const starts = [
    { name: 'first', start: first },
    { name: 'second', start: second },
  ];
  const startColumns: Column<(typeof starts)[number]>[] = [
    { title: 'start', align: 'left', cell: ({ name }) => name },
    { title: 'weights, ms', cell: ({ start }) => digits(start.loadMs) },
    { title: 'pipelines, ms', cell: ({ start }) => digits(start.compileMs) },
    { title: 'ready, ms', cell: ({ start }) => digits(start.readyMs) },
    { title: 'host MB while loading', cell: ({ start }) => digits(start.hostBytes / 1e6) },
  ];
  return `${[
    describeMachine(machine),
    `${model}: ${digits(fileBytes / 1e9)} GB in the files, ${digits(weightBytes / 1e9)} GB on the device; by default turned by: ${turnedBy}`,
    table(columns, rows),
    table(startColumns, starts),
  ].join('\n\n')}\n`;
}

const percent = (value: number): string => `${Math.round(100 * value)} %`;
