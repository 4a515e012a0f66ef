/**
 * How weights are read: batches of bytes in the order of the files, each of pieces that lie one after
 * another in the batch. Pure.
 *
 *   device   whole rows, eight or a multiple, that the relayout kernel moves (kernels/relayout.ts)
 *   rows     the same, moved by `convertRows` (weights/convert-rows.ts)
 *   host     a whole small tensor that `convert` takes out of the batch
 *   whole    no part of a batch: too large and odd, or without a place to read from
 */
import { canRelayout } from '../kernels/relayout-rows.ts';
import type { FileDType } from '../weights/safetensors-header.ts';

/** The largest batch. */
export const BATCH_BYTES = 16 * 2 ** 20;

export interface LoadTensor {
  readonly layout: string;
  /** How the kernels store it. */
  readonly to: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /** In the file. */
  readonly bytes: number;
  /** False: only `whole` will do. */
  readonly hasPlace: boolean;
}

export interface LoadPiece {
  readonly way: 'device' | 'rows' | 'host' | 'whole';
  /** Index of its tensor. */
  readonly tensor: number;
  /** From the tensor's byte `begin` on, */
  readonly begin: number;
  readonly bytes: number;
  /** at this byte of the batch. */
  readonly offset: number;
  /** Of the first axis. */
  readonly first: number;
  readonly rows: number;
}

export interface LoadBatch {
  readonly bytes: number;
  readonly pieces: readonly LoadPiece[];
}

export interface LoadLimits {
  readonly batchBytes: number;
  readonly batchPieces: number;
  /** Weights that are better turned by the device, where there are enough of them. */
  readonly isForDevice: (tensor: LoadTensor) => boolean;
  /** Bytes of such weights from which their kernels are worth compiling. */
  readonly deviceBytes: number;
}

/** What kernels read four words at a time begins at such a byte. */
const ALIGNMENT = 16;
/** The relayout kernel's rows. */
const ROWS = 8;
/** A piece smaller than this and not the tensor's end waits for the next batch. */
const SLIVER_BYTES = 256 * 1024;

export function planLoad(tensors: readonly LoadTensor[], limits: LoadLimits): LoadBatch[] {
  const { batchBytes, batchPieces, isForDevice, deviceBytes } = limits;
  const isForRows = (tensor: LoadTensor): boolean => fitsRows(tensor, batchBytes);
  const forDevice = tensors.filter((tensor) => isForRows(tensor) && isForDevice(tensor));
  const hasDevice = forDevice.reduce((sum, { bytes }) => sum + bytes, 0) >= deviceBytes;
  const wayOf = (tensor: LoadTensor): LoadPiece['way'] => {
    if (isForRows(tensor) && hasDevice && isForDevice(tensor)) return 'device';
    if (isForRows(tensor) && tensor.layout !== 'phase') return 'rows';
    return tensor.hasPlace && tensor.bytes <= batchBytes ? 'host' : 'whole';
  };

  const batches: { bytes: number; pieces: LoadPiece[] }[] = [];
  let batch: { bytes: number; pieces: LoadPiece[] } = { bytes: 0, pieces: [] };
  const close = (): void => {
    if (batch.pieces.length > 0) batches.push(batch);
    batch = { bytes: 0, pieces: [] };
  };
  const room = (): number =>
    batch.pieces.length < batchPieces ? batchBytes - align(batch.bytes) : 0;
  const add = (piece: Omit<LoadPiece, 'offset'>): void => {
    if (batch.pieces.length >= batchPieces) close();
    const offset = align(batch.bytes);
    batch.pieces.push({ ...piece, offset });
    if (piece.way !== 'whole') batch.bytes = offset + piece.bytes;
  };

  for (const [tensor, item] of tensors.entries()) {
    const { bytes, shape } = item;
    const way = wayOf(item);
    const all = { way, tensor, begin: 0, bytes, first: 0, rows: shape[0] ?? 1 };
    if (way === 'device' || way === 'rows') {
      const rowBytes = bytes / all.rows;
      for (let first = 0; first < all.rows;) {
        const left = all.rows - first;
        const rows = Math.min(left, ROWS * Math.floor(room() / rowBytes / ROWS));
        if (rows === 0 || (rows < left && rows * rowBytes < SLIVER_BYTES && batch.bytes > 0)) {
          close();
          continue;
        }
        const begin = first * rowBytes;
        add({ way, tensor, begin, bytes: rows * rowBytes, first, rows });
        first += rows;
      }
    } else {
      if (way === 'host' && bytes > room()) close();
      add(all);
    }
  }
  close();
  return batches;
}

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Whole rows of it can be moved on their own. */
function fitsRows(tensor: LoadTensor, batchBytes: number): boolean {
  const { layout, to, dtype, shape, bytes, hasPlace } = tensor;
  return (
    hasPlace &&
    to === 'f16' &&
    canRelayout(layout, dtype, shape) &&
    (ROWS * bytes) / (shape[0] ?? 1) <= batchBytes
  );
}
