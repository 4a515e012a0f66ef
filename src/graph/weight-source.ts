/** What a load needs to know of a model (invsr/model.ts makes it). */
import type { PlanWeight } from '../engine/plan.ts';
import { convert, type Layout } from '../weights/layout.ts';
import type { FileDType } from '../weights/safetensors-header.ts';

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
  /** Bytes of one weight in kernel layout, of its `type`, read from its file now. */
  readWeight(weight: PlanWeight, signal?: AbortSignal): Promise<Uint8Array>;
  /** For loads that stream. Absent or undefined: `readWeight` has to do. */
  placeOf?: ((weight: PlanWeight) => WeightPlace | undefined) | undefined;
}

/** A weight in the kernels' layout, of the bytes in its place. */
export function converted(
  { key, layout, type }: PlanWeight,
  { dtype, shape }: WeightPlace,
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array {
  const to = type.dtype === 'f16' ? 'f16' : 'f32';
  return convert(layout as Layout, to, { name: key, dtype, shape, bytes });
}
