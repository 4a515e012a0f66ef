/** Weights that come from no model. */
import type { PlanWeight } from '../../src/engine/plan.ts';
import type { WeightStore } from '../../src/engine/weight-store.ts';

/** Uploads a weight in the kernels' layout; nothing happens if it is there or on its way. */
export const uploadWeight = (
  store: WeightStore,
  weight: PlanWeight,
  bytes: Uint8Array,
): Promise<void> => store.load([weight], (_, [buffer]) => store.write(buffer!, bytes));
