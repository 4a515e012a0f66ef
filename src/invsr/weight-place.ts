/** A checkpoint's tensors as weights: where they are, for loads (graph/load-weights.ts), or read one by one. */
import type { PlanWeight } from '../engine/plan.ts';
import { converted, type WeightPlace, type WeightSource } from '../graph/weight-source.ts';
import { fillFrom } from '../weights/checkpoint.ts';
import type { StoredTensor } from '../weights/pth.ts';
import type { RawTensor } from '../weights/layout.ts';
import { ConfigError } from './errors.ts';

/** Where the checkpoint keeps a tensor. `order`: rank among all tensors that a load may read. */
export const placeIn = (tensor: StoredTensor, order: number): WeightPlace => ({
  dtype: tensor.dtype,
  shape: tensor.shape,
  bytes: tensor.bytes,
  order,
  read: (begin, target, signal) => fillFrom(tensor, begin, target, signal),
});

/** Of a tensor in memory, before all files. */
export const placeOfRaw = ({ dtype, shape, bytes }: RawTensor): WeightPlace => ({
  dtype,
  shape,
  bytes: bytes.length,
  order: -1,
  read: async (begin, target) => target.set(bytes.subarray(begin, begin + target.length)),
});

/** What loads need of weights that all have a place. ConfigError: one has none. */
export const sourceOf = (
  name: string,
  placeOf: (weight: PlanWeight) => WeightPlace | undefined,
): Required<WeightSource> => ({
  placeOf,
  async readWeight(weight, signal) {
    const place = placeOf(weight);
    if (!place) throw new ConfigError(`${name}: no tensor ${weight.key}`);
    const bytes = new Uint8Array(place.bytes);
    await place.read(0, bytes, signal);
    return converted(weight, place, bytes);
  },
});
