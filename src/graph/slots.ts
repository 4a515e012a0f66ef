/**
 * Places tensors in a few reusable buffers. One GPUBuffer per slot, not one arena: WebGPU refuses a
 * buffer bound both `read` and `read_write` in a dispatch, and tracks hazards per buffer.
 *
 * Best fit: a tensor takes the smallest free slot that holds it; failing that the largest free
 * slot grows to it; failing that a new slot is made. A slot is free again after the node that
 * last reads it.
 */
import type { Slot } from '../engine/plan.ts';
import type { Lifetime } from './liveness.ts';

export interface Assignment {
  readonly slots: readonly Slot[];
  /** Tensor id → slot index. */
  readonly slotOf: ReadonlyMap<number, number>;
}

export function assignSlots(lifetimes: readonly Lifetime[]): Assignment {
  const slots: { bytes: number; persistent: boolean; freeFrom: number }[] = [];
  const slotOf = new Map<number, number>();
  for (const { id, bytes, first, last } of lifetimes.toSorted((a, b) => a.first - b.first)) {
    // A tensor that outlives the run must not share with one that a later run overwrites.
    const persistent = last === Infinity;
    const free = persistent ? [] : [...slots.keys()].filter((i) => isFree(slots[i], first));
    const bytesOf = (i: number): number => slots[i]?.bytes ?? 0;
    const fitting = free
      .filter((i) => bytesOf(i) >= bytes)
      .toSorted((a, b) => bytesOf(a) - bytesOf(b));
    const largest = free.toSorted((a, b) => bytesOf(b) - bytesOf(a))[0];
    const index = fitting[0] ?? largest ?? slots.length;
    slots[index] = { bytes: Math.max(bytes, bytesOf(index)), persistent, freeFrom: last };
    slotOf.set(id, index);
  }
  return { slots: slots.map(({ bytes, persistent }) => ({ bytes, persistent })), slotOf };
}

/** Free for a tensor first written by node `first`: its last reader comes strictly before. */
const isFree = (
  slot: { readonly persistent: boolean; readonly freeFrom: number } | undefined,
  first: number,
): boolean => slot !== undefined && !slot.persistent && slot.freeFrom < first;
