/**
 * What plans take of the device's memory: one by itself, and several that are there at the same time,
 * which share weights and slots.
 */
import { bufferSize } from '../engine/allocator.ts';
import { packPlanParams, slotRequests } from '../engine/binder.ts';
import { byteLength, type TensorType } from '../engine/kernel.ts';
import { dispatchesOf, type Location, type Plan } from '../engine/plan.ts';
import type { Work } from '../engine/slices.ts';
import { fitSlots, type SlotRequest } from '../engine/slot-pool.ts';
import { weightId } from '../engine/weight-store.ts';

/** Of one plan. */
export interface PlanBytes {
  /** Bytes by identity: plans share weights. */
  readonly weights: ReadonlyMap<string, number>;
  readonly slots: readonly SlotRequest[];
  readonly paramBytes: number;
  readonly externals: ReadonlyMap<string, number>;
  readonly largestBuffer: number;
  readonly largestBinding: number;
}

/** In steps (engine/slices.ts): a plan of a large network has thousands of tensors to look at. */
export function* planBytes(plan: Plan, alignment: number): Work<PlanBytes> {
  const { weights, externals } = plan;
  const params = packPlanParams(dispatchesOf(plan), alignment);
  yield;
  const slots = slotRequests(plan);
  yield;
  const largest = largestBinding(plan);
  yield;
  return {
    weights: new Map(weights.map((w) => [weightId(w), bufferSize(byteLength(w.type))])),
    slots,
    paramBytes: bufferSize(params.bytes.byteLength),
    externals: new Map(
      Object.entries(externals).map(([name, type]) => [name, bufferSize(byteLength(type))]),
    ),
    largestBuffer: largestBuffer(plan),
    largestBinding: largest,
  };
}

/** Of plans that are on the device at the same time. */
export interface Together {
  readonly weightBytes: number;
  readonly slotBytes: number;
  readonly paramBytes: number;
}

export function together(plans: readonly PlanBytes[]): Together {
  const weights = new Map(plans.flatMap((plan) => [...plan.weights]));
  return {
    weightBytes: sumOf(weights.values()),
    slotBytes: pooledBytes(plans.map(({ slots }) => slots)),
    paramBytes: sumOf(plans.map(({ paramBytes }) => paramBytes)),
  };
}

const sumOf = (numbers: Iterable<number>): number =>
  [...numbers].reduce((sum, number) => sum + number, 0);

const largestBuffer = ({ slots, weights, externals }: Plan): number =>
  Math.max(
    0,
    ...slots.map(({ bytes }) => bytes),
    ...weights.map(({ type }) => byteLength(type)),
    ...Object.values(externals).map(byteLength),
  );

/** Large tensors are bound window by window. */
function largestBinding(plan: Plan): number {
  const { slots, weights, externals } = plan;
  const bytesOf = (location: Location): number => {
    if (location.kind === 'weight') return bytesOfType(weights[location.index]?.type);
    if (location.bytes !== undefined) return location.bytes;
    if (location.kind === 'slot') return slots[location.index]?.bytes ?? 0;
    return bytesOfType(externals[location.name]);
  };
  let largest = 0;
  for (const { inputs, output } of dispatchesOf(plan)) {
    for (const location of [...Object.values(inputs), output]) {
      largest = Math.max(largest, bytesOf(location));
    }
  }
  return largest;
}

const bytesOfType = (type: TensorType | undefined): number => (type ? byteLength(type) : 0);

/** Bytes of the pool's buffers after leases by several plans, in this order. */
export function pooledBytes(leases: readonly (readonly SlotRequest[])[]): number {
  const pool: { readonly size: number }[] = [];
  let bytes = 0;
  for (const requests of leases) {
    const fits = fitSlots(requests, pool);
    for (const [index, request] of requests.entries()) {
      if (fits.has(index)) continue;
      const size = bufferSize(request.bytes);
      bytes += size;
      if (!request.isExclusive) pool.push({ size });
    }
  }
  return bytes;
}
