/** A checkpoint's tensors as weights: in pieces (graph/load-weights.ts), or one as a whole. */
import { sizeOf } from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import type { WeightPlace } from '../graph/weight-source.ts';
import type { Checkpoint, CheckpointTensor } from '../weights/checkpoint.ts';
import { convert, type Layout, type RawTensor } from '../weights/layout.ts';
import { DTYPE_BITS } from '../weights/safetensors-header.ts';

/** Where the checkpoint keeps a tensor. `order`: rank among all tensors that a load may read. */
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

/** The whole of a weight, as the kernels read it. */
export async function weightOf(
  checkpoint: Checkpoint,
  name: string,
  { dtype, shape }: CheckpointTensor,
  weight: PlanWeight,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await checkpoint.read(name, signal);
  return inLayout({ name: weight.key, dtype, shape, bytes }, weight);
}

export const inLayout = (raw: RawTensor, { layout, type }: PlanWeight): Uint8Array<ArrayBuffer> =>
  // The planner took it from a Layout; plans carry it as text.
  convert(layout as Layout, type.dtype === 'f16' ? 'f16' : 'f32', raw);
