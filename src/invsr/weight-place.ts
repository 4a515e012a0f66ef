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
  return {
    dtype,
    shape,
    bytes: (sizeOf(shape) * DTYPE_BITS[dtype]) / 8,
    order,
    read: (begin, target, signal) => checkpoint.readInto(name, begin, target, signal),
  };
}
