/** Where a checkpoint keeps a tensor, for loads that read it in pieces (graph/load-weights.ts). */
import { sizeOf } from '../engine/kernel.ts';
import type { WeightPlace } from '../graph/weight-source.ts';
import type { Checkpoint, CheckpointTensor } from '../weights/checkpoint.ts';
import { DTYPE_BITS } from '../weights/safetensors-header.ts';

/** `order`: rank among all tensors that a load may read. */
export function placeIn(
  checkpoint: Checkpoint,
  name: string,
  { dtype, shape }: CheckpointTensor,
  order: number,
): WeightPlace {
  const bytes = (sizeOf(shape) * DTYPE_BITS[dtype]) / 8;
  let whole: Promise<Uint8Array> | undefined;
  return {
    dtype,
    shape,
    bytes,
    order,
    async read(begin, target, signal) {
      if (checkpoint.readInto) return checkpoint.readInto(name, begin, target, signal);
      // Pieces are asked for in order: what the first one read is kept until the last.
      whole ??= checkpoint.read(name, signal);
      const all = whole;
      if (begin + target.length === bytes) whole = undefined;
      target.set((await all).subarray(begin, begin + target.length));
    },
  };
}
