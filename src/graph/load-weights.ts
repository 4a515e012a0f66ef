/**
 * Weights from their files to the GPU.
 *
 *   file ─read ahead→ a few host buffers ─writeBuffer→ raw bytes on the device ─relayout→ weight buffers
 *                                         └─ convert → (vectors, odd shapes) ──────────────↗
 *
 * Reads run along the files, in batches of some MiB into memory that is used again; the batch before
 * is on its way to the device meanwhile, which turns layouts and rounds (docs/decisions/0006). Host
 * memory stays at a few batches whatever the model's size.
 *
 * Values that f16 cannot hold are found as the bytes pass, and refused by tensor and element.
 */
import type { EngineContext } from '../engine/context.ts';
import { targetOf } from '../engine/device.ts';
import { byteLength, type Kernel, type Target } from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import { type UploadJob, Uploader } from '../engine/uploader.ts';
import { identify } from '../engine/weight-store.ts';
import { relayout, type RelayoutConstants } from '../kernels/relayout.ts';
import { holdsBeyond } from '../weights/half.ts';
import { convert, type Layout, type RawTensor } from '../weights/layout.ts';
import { readAhead } from '../weights/read-ahead.ts';
import type { FileDType } from '../weights/safetensors-header.ts';
import { type LoadBatch, type LoadPiece, type LoadTensor, planLoad } from './load-plan.ts';

/** Where a weight's bytes are, as the checkpoint has them. */
export interface WeightPlace {
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Rank among the model's tensors: reads in this order run along the files. */
  readonly order: number;
  /** Fills `target` with the tensor's bytes from `begin` on. */
  read(begin: number, target: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<void>;
}

export interface WeightSource {
  /** Bytes of one weight in kernel layout, read from its file now. */
  readWeight(weight: PlanWeight, signal?: AbortSignal): Promise<Uint8Array>;
  /** For loads that stream. Absent or undefined: `readWeight` has to do. */
  placeOf?: ((weight: PlanWeight) => WeightPlace | undefined) | undefined;
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the files. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /**
   * Bytes from which the device turns layouts, and not `convert`. @default 64 MiB: a software adapter
   * compiles a kernel in 0.3 s, which is what `convert` takes for as many bytes
   */
  readonly deviceBytes?: number | undefined;
}

const MIB = 2 ** 20;
const BATCH_BYTES = 8 * MIB;
const BATCH_PIECES = 64;
const DEVICE_BYTES = 64 * MIB;
/** Batches being read or waiting for their turn. */
const READ_AHEAD = 3;

/** Uploads what is missing of `weights`; all of it or, where it rejects, nothing. */
export async function loadWeights(
  context: EngineContext,
  weights: readonly PlanWeight[],
  source: WeightSource,
  options: LoadOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted();
  const distinct = new Map(weights.map((weight) => [identify(weight), weight]));
  const items = [...distinct.values()]
    .filter((weight) => !context.weights.has(weight))
    .map((weight) => ({ weight, place: source.placeOf?.(weight) }));
  // Before anything is waited for: whoever compiles meanwhile is told of afterwards.
  if (items.length > 0) options.onProgress?.(0, bytesOf(items));
  await context.weights.load(weights, (missing, buffers) =>
    fill(
      context,
      missing.flatMap((weight, i) => {
        const buffer = buffers[i];
        return buffer ? { weight, buffer, place: source.placeOf?.(weight) } : [];
      }),
      source,
      options,
    ),
  );
}

/** In the files; of weights without a place, in the kernels' layout. */
const bytesOf = (items: readonly Pick<Item, 'weight' | 'place'>[]): number =>
  items.reduce((sum, { weight, place }) => sum + (place?.bytes ?? byteLength(weight.type)), 0);

interface Item {
  readonly weight: PlanWeight;
  readonly buffer: GPUBuffer;
  readonly place: WeightPlace | undefined;
}

async function fill(
  context: EngineContext,
  missing: readonly Item[],
  source: WeightSource,
  { signal, onProgress, deviceBytes = DEVICE_BYTES }: LoadOptions,
): Promise<void> {
  const stops = AbortSignal.any([context.lost, ...(signal ? [signal] : [])]);
  const items = missing.toSorted((a, b) => (a.place?.order ?? 0) - (b.place?.order ?? 0));
  const tensors = items.map(({ weight, place }): LoadTensor => ({
    layout: weight.layout,
    to: weight.type.dtype,
    dtype: place?.dtype ?? 'F16',
    shape: place?.shape ?? weight.type.shape,
    bytes: place?.bytes ?? byteLength(weight.type),
    hasPlace: place !== undefined,
  }));
  const batches = planLoad(tensors, {
    batchBytes: BATCH_BYTES,
    batchPieces: BATCH_PIECES,
    deviceBytes,
  });
  const upload = await createUpload(context, items, batches, stops);
  const total = bytesOf(items);
  let done = 0;
  try {
    await readAhead(
      batches.map((batch) => ({
        bytes: batch.bytes,
        read: (memory) => readBatch(batch, items, memory, stops),
        use: async (memory) => {
          stops.throwIfAborted();
          await uploadBatch(context, { batch, items, memory, source, signal: stops }, upload);
          done += batch.pieces.reduce((sum, { bytes }) => sum + bytes, 0);
          onProgress?.(done, total);
        },
      })),
      READ_AHEAD,
    );
    await upload.uploader?.drain();
    stops.throwIfAborted();
  } finally {
    // What is under way writes to buffers that the caller destroys after an error.
    await upload.uploader?.drain().catch(() => {});
    upload.uploader?.dispose();
  }
}

/** What a batch's pieces need on the device; nothing where all of them go through `convert`. */
interface Upload {
  readonly target: Target;
  readonly uploader: Uploader | undefined;
}

async function createUpload(
  context: EngineContext,
  items: readonly Item[],
  batches: readonly LoadBatch[],
  signal: AbortSignal,
): Promise<Upload> {
  const target = targetOf(context.capabilities);
  const onDevice = batches.map(({ pieces }) => pieces.filter(({ way }) => way === 'device'));
  if (onDevice.every((pieces) => pieces.length === 0)) return { target, uploader: undefined };
  const requests = onDevice.flat().map((piece) => {
    const { weight, place } = itemOf(items, piece);
    return { path: weight.key, kernel: kernelOf(piece, weight, place, target) };
  });
  const uploader = await Uploader.create(context, {
    bytes: BATCH_BYTES,
    jobs: BATCH_PIECES,
    compiled: await context.pipelines.compile(requests, { signal }),
  });
  return { target, uploader };
}

function itemOf(items: readonly Item[], { tensor }: LoadPiece): Item & { place: WeightPlace } {
  const item = items[tensor];
  if (!item?.place) throw new Error(`tensor ${tensor} has no place`);
  return { ...item, place: item.place };
}

const kernelOf = (
  { offset, first, rows }: LoadPiece,
  { layout }: PlanWeight,
  { dtype, shape }: WeightPlace,
  target: Target,
): Kernel =>
  relayout(
    { raw: { dtype: 'u32', shape: [BATCH_BYTES / 4] } },
    // As load-plan.ts chose it.
    { layout, from: dtype, shape, offset, first, rows } as RelayoutConstants,
    target,
  );

async function readBatch(
  { pieces }: LoadBatch,
  items: readonly Item[],
  memory: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<void> {
  const reads = pieces
    .filter(({ way }) => way !== 'whole')
    .map((piece) => {
      const target = memory.subarray(piece.offset, piece.offset + piece.bytes);
      return itemOf(items, piece).place.read(piece.begin, target, signal);
    });
  // All of them: the memory is used again.
  const failed = (await Promise.allSettled(reads)).find((read) => read.status === 'rejected');
  if (failed) throw failed.reason;
}

interface BatchWork {
  readonly batch: LoadBatch;
  readonly items: readonly Item[];
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly source: WeightSource;
  readonly signal: AbortSignal;
}

async function uploadBatch(
  context: EngineContext,
  { batch, items, memory, source, signal }: BatchWork,
  { target, uploader }: Upload,
): Promise<void> {
  const jobs: UploadJob[] = [];
  const refused = new Set<Item>();
  for (const piece of batch.pieces) {
    const item = items[piece.tensor];
    if (!item) continue;
    const { weight, buffer, place } = item;
    const bytes = memory.subarray(piece.offset, piece.offset + piece.bytes);
    if (piece.way === 'whole' || !place) {
      refused.add(item);
    } else if (piece.way === 'host') {
      const { dtype, shape } = place;
      const raw: RawTensor = { name: weight.key, dtype, shape, bytes };
      const to = weight.type.dtype === 'f16' ? 'f16' : 'f32';
      await context.weights.write(buffer, convert(weight.layout as Layout, to, raw));
    } else if (holdsBeyond(bytes, place.dtype, weight.layout === 'phase' ? 4 : 1)) {
      refused.add(item);
    } else {
      jobs.push({ kernel: kernelOf(piece, weight, place, target), output: buffer });
    }
  }
  await uploader?.submit(memory.subarray(0, batch.bytes), jobs);
  // By `convert`, which names the element or finds that f16 holds it; after the other pieces.
  for (const { weight, buffer } of refused) {
    await context.weights.write(buffer, await source.readWeight(weight, signal));
  }
}
