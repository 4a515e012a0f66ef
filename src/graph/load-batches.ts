/**
 * Large loads, and those with weights that take more than a conversion.
 *
 *   file ─read ahead→ a few host buffers ─ turned there ──────────────→ weight buffers
 *                                        └ raw to the device, turned ─↗
 *
 * Reads run along the files, in batches of some MiB into memory that is used again; the batch before
 * is turned into the kernels' layout meanwhile (load-batch.ts). GPUs do that themselves, software
 * adapters share it with JavaScript, each on its own cores (docs/decisions/0006). Host memory stays at a few
 * batches and the largest tensor, whatever the model's size.
 *
 * Values that f16 cannot hold are found as the bytes pass.
 */
import type { EngineContext } from '../engine/context.ts';
import { byteLength } from '../engine/kernel.ts';
import { readAhead } from '../weights/read-ahead.ts';
import { BatchUploader } from './load-batch.ts';
import { BATCH_BYTES, type LoadTensor, planLoad } from './load-plan.ts';
import type { LoadInputs, LoadItem } from './load-weights.ts';

const BATCH_PIECES = 64;
/** Batches being read or waiting for their turn. */
const READ_AHEAD = 2;
/** Of the tensors' bytes, where the device and the host share them. */
const RUN_BYTES = 32 * 2 ** 20;

export async function loadInBatches(context: EngineContext, load: LoadInputs): Promise<void> {
  const { items, total, signal, onProgress, deviceBytes } = load;
  const { turnedBy = context.capabilities.isSoftware ? 'both' : 'device' } = load;
  const tensors = items.map(tensorOf);
  const shared = turnedBy === 'both' ? everyOther(tensors, load.runBytes) : undefined;
  const batches = planLoad(tensors, {
    batchBytes: BATCH_BYTES,
    batchPieces: BATCH_PIECES,
    // Sixteen sums of up to four taps: the one layout that takes arithmetic.
    isForDevice: (tensor) =>
      turnedBy === 'device' || tensor.layout === 'phase' || shared?.has(tensor) === true,
    deviceBytes,
  });
  const uploader = await BatchUploader.create(context, { ...load, batches }, BATCH_PIECES);
  let done = 0;
  try {
    await readAhead(
      batches.map((batch) => ({
        bytes: batch.bytes,
        read: (memory) => uploader.read(batch, memory),
        use: async (memory) => {
          signal.throwIfAborted();
          await uploader.upload(batch, memory);
          done += batch.pieces.reduce((sum, { bytes }) => sum + bytes, 0);
          onProgress?.(done, total);
        },
      })),
      READ_AHEAD,
    );
    signal.throwIfAborted();
  } catch (error) {
    // What is under way writes to buffers that the caller destroys.
    await uploader.close().catch(() => {});
    throw error;
  }
  await uploader.close();
}

/** The tensors of every other run. */
function everyOther(tensors: readonly LoadTensor[], runBytes = RUN_BYTES): ReadonlySet<LoadTensor> {
  let end = 0;
  return new Set(
    tensors.filter(({ bytes }) => {
      const run = Math.floor(end / runBytes);
      end += bytes;
      return run % 2 === 1;
    }),
  );
}

const tensorOf = ({ weight, place }: LoadItem): LoadTensor => ({
  layout: weight.layout,
  to: weight.type.dtype,
  dtype: place?.dtype ?? 'F16',
  shape: place?.shape ?? weight.type.shape,
  bytes: place?.bytes ?? byteLength(weight.type),
  hasPlace: place !== undefined,
});
