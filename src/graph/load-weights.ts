/**
 * Weights from their files to the GPU.
 *
 *   file ─read ahead→ a few host buffers ─ turned there ──────────────→ weight buffers
 *                                        └ raw to the device, turned ─↗
 *
 * Reads run along the files, in batches of some MiB into memory that is used again; the batch before
 * is turned into the kernels' layout meanwhile (load-batch.ts). GPUs do that themselves, software
 * adapters share it with JavaScript, each on its own cores (docs/decisions/0006). Host memory stays at a few
 * batches and the largest tensor, whatever the model's size.
 *
 * Values that f16 cannot hold are found as the bytes pass, and refused by tensor and element.
 */
import type { EngineContext } from '../engine/context.ts';
import { byteLength } from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import { weightId } from '../engine/weight-store.ts';
import { readAhead } from '../weights/read-ahead.ts';
import { BatchUploader, type LoadItem } from './load-batch.ts';
import { BATCH_BYTES, type LoadTensor, planLoad } from './load-plan.ts';
import { placeOf } from './weight-parts.ts';
import type { WeightSource } from './weight-source.ts';

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the files. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /**
   * Who turns weights; `phase` is the device's anyway. @default the device, where it is a GPU; else
   * both, since the device's work is done by other cores than ours
   */
  readonly turnedBy?: 'device' | 'host' | 'both' | undefined;
  /** Bytes for the device from which its kernels are worth compiling. @default 16 MiB */
  readonly deviceBytes?: number | undefined;
  /** With `both`, neighbours in the file that go the same way: some batches. @default 32 MiB */
  readonly runBytes?: number | undefined;
}

const MIB = 2 ** 20;
const BATCH_PIECES = 64;
/** For less, JavaScript is done before a software adapter has compiled the kernel. */
const DEVICE_BYTES = 16 * MIB;
/** Batches being read or waiting for their turn. */
const READ_AHEAD = 2;

/** Uploads what is missing of `weights`; all of it or, where it rejects, nothing. */
export async function loadWeights(
  context: EngineContext,
  weights: readonly PlanWeight[],
  source: WeightSource,
  options: LoadOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted();
  const distinct = new Map(weights.map((weight) => [weightId(weight), weight]));
  const items = [...distinct.values()]
    .filter((weight) => !context.weights.has(weight))
    .map((weight) => ({ weight, place: placeOf(source, weight) }));
  // Before anything is waited for: whoever compiles meanwhile is told of afterwards.
  if (items.length > 0) options.onProgress?.(0, bytesOf(items));
  await context.weights.load(weights, (missing, buffers) =>
    fill(
      context,
      missing.flatMap((weight, i) => {
        const buffer = buffers[i];
        return buffer ? { weight, buffer, place: placeOf(source, weight) } : [];
      }),
      source,
      options,
    ),
  );
}

/** The tensors of every other run. */
function everyOther(tensors: readonly LoadTensor[], runBytes = 32 * MIB): ReadonlySet<LoadTensor> {
  let end = 0;
  return new Set(
    tensors.filter(({ bytes }) => {
      const run = Math.floor(end / runBytes);
      end += bytes;
      return run % 2 === 1;
    }),
  );
}

/** In the files; of weights without a place, in the kernels' layout. */
const bytesOf = (items: readonly Pick<LoadItem, 'weight' | 'place'>[]): number =>
  items.reduce((sum, { weight, place }) => sum + (place?.bytes ?? byteLength(weight.type)), 0);

async function fill(
  context: EngineContext,
  missing: readonly LoadItem[],
  source: WeightSource,
  options: LoadOptions,
): Promise<void> {
  const { signal, onProgress, deviceBytes = DEVICE_BYTES } = options;
  const { turnedBy = context.capabilities.isSoftware ? 'both' : 'device' } = options;
  const stops = AbortSignal.any([context.lost, ...(signal ? [signal] : [])]);
  const items = missing.toSorted((a, b) => (a.place?.order ?? 0) - (b.place?.order ?? 0));
  const tensors = items.map(tensorOf);
  const shared = turnedBy === 'both' ? everyOther(tensors, options.runBytes) : undefined;
  const batches = planLoad(tensors, {
    batchBytes: BATCH_BYTES,
    batchPieces: BATCH_PIECES,
    // Sixteen sums of up to four taps: the one layout that takes arithmetic.
    isForDevice: (tensor) =>
      turnedBy === 'device' || tensor.layout === 'phase' || shared?.has(tensor) === true,
    deviceBytes,
  });
  const work = { items, batches, source, signal: stops };
  const uploader = await BatchUploader.create(context, work, BATCH_PIECES);
  const total = bytesOf(items);
  let done = 0;
  try {
    await readAhead(
      batches.map((batch) => ({
        bytes: batch.bytes,
        read: (memory) => uploader.read(batch, memory),
        use: async (memory) => {
          stops.throwIfAborted();
          await uploader.upload(batch, memory);
          done += batch.pieces.reduce((sum, { bytes }) => sum + bytes, 0);
          onProgress?.(done, total);
        },
      })),
      READ_AHEAD,
    );
    stops.throwIfAborted();
  } catch (error) {
    // What is under way writes to buffers that the caller destroys.
    await uploader.close().catch(() => {});
    throw error;
  }
  await uploader.close();
}

const tensorOf = ({ weight, place }: LoadItem): LoadTensor => ({
  layout: weight.layout,
  to: weight.type.dtype,
  dtype: place?.dtype ?? 'F16',
  shape: place?.shape ?? weight.type.shape,
  bytes: place?.bytes ?? byteLength(weight.type),
  hasPlace: place !== undefined,
});
