/**
 * Weights from their files to the GPU.
 *
 *   small   all is read, turned into the kernels' layout here, and written
 *   large   in batches that run along the files: load-batches.ts, which few bytes do not need
 *
 * Values that f16 cannot hold are refused by tensor and element.
 */
import type { EngineContext } from '../engine/context.ts';
import { byteLength } from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import { letGo } from '../engine/slices.ts';
import { weightId } from '../engine/weight-store.ts';
import { allDone } from '../weights/all-done.ts';
import { placeOf } from './weight-parts.ts';
import { converted, type WeightPlace, type WeightSource } from './weight-source.ts';

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the files. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /**
   * Who turns weights of large loads; `phase` is the device's anyway. @default the device, where it is a GPU; else
   * both, since the device's work is done by other cores than ours
   */
  readonly turnedBy?: 'device' | 'host' | 'both' | undefined;
  /** Bytes from which a load is large: the device's kernels are worth compiling then. @default 16 MiB */
  readonly deviceBytes?: number | undefined;
  /** With `both`, neighbours in the file that go the same way: some batches. @default 32 MiB */
  readonly runBytes?: number | undefined;
}

/** A weight, its buffer, and where the checkpoint has it. */
export interface LoadItem {
  readonly weight: PlanWeight;
  readonly buffer: GPUBuffer;
  readonly place: WeightPlace | undefined;
}

/** For less, JavaScript is done before a software adapter has compiled the kernel. */
const DEVICE_BYTES = 16 * 2 ** 20;

/** Uploads what is missing of `weights`; all of it or, where it rejects, nothing. */
export async function loadWeights(
  context: EngineContext,
  weights: readonly PlanWeight[],
  source: WeightSource,
  options: LoadOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted();
  const distinct = new Map(weights.map((weight) => [weightId(weight), weight]));
  const placed = [...distinct.values()]
    .filter((weight) => !context.weights.has(weight))
    .map((weight) => ({ weight, place: placeOf(source, weight) }));
  // Before anything is waited for: whoever compiles meanwhile is told of afterwards.
  if (placed.length > 0) options.onProgress?.(0, bytesOf(placed));
  await context.weights.load(weights, async (missing, buffers) => {
    const { signal, deviceBytes = DEVICE_BYTES } = options;
    const items = missing
      .flatMap((weight, i): LoadItem[] => {
        const buffer = buffers[i];
        return buffer ? [{ weight, buffer, place: placeOf(source, weight) }] : [];
      })
      .toSorted((a, b) => (a.place?.order ?? 0) - (b.place?.order ?? 0));
    const stops = AbortSignal.any([context.lost, ...(signal ? [signal] : [])]);
    const total = bytesOf(items);
    const inputs = { ...options, deviceBytes, source, items, total, signal: stops };
    const isSmall = total < deviceBytes && items.every(isPlain);
    if (isSmall) return loadAtOnce(context, inputs);
    const { loadInBatches } = await import('./load-batches.ts');
    return loadInBatches(context, inputs);
  });
}

/** What a load does, in the order of the files. */
export interface LoadInputs extends LoadOptions {
  readonly source: WeightSource;
  readonly items: readonly LoadItem[];
  /** Their bytes. */
  readonly total: number;
  readonly deviceBytes: number;
  readonly signal: AbortSignal;
}

/** In the files; of weights without a place, in the kernels' layout. */
const bytesOf = (items: readonly Pick<LoadItem, 'weight' | 'place'>[]): number =>
  items.reduce((sum, { weight, place }) => sum + (place?.bytes ?? byteLength(weight.type)), 0);

/** `convert` makes it of the bytes in its place. */
const isPlain = ({ weight, place }: LoadItem): boolean => place !== undefined && !weight.blocks;

async function loadAtOnce(
  { weights }: EngineContext,
  { items, total, signal, onProgress }: LoadInputs,
): Promise<void> {
  let done = 0;
  const reads = items.map(async (item) => {
    const bytes = new Uint8Array(item.place?.bytes ?? 0);
    await item.place?.read(0, bytes, signal);
    onProgress?.((done += bytes.length), total);
    return { ...item, bytes };
  });
  for (const { weight, buffer, place, bytes } of await allDone(reads)) {
    await letGo(); // where the files are in memory, nothing else would
    signal.throwIfAborted();
    if (place) await weights.write(buffer, converted(weight, place, bytes));
  }
}
