/**
 * Places tensors in a few reusable buffers. One GPUBuffer per slot, not one arena: WebGPU refuses a
 * buffer bound both `read` and `read_write` in a dispatch, and tracks hazards per buffer.
 *
 * All lifetimes are known, so tensors are placed largest first: each takes the smallest slot that is
 * free while it lives, or makes a slot of its own size. No slot ever grows, and the large ones, which
 * make up the sum, are packed before small ones can get in their way.
 *
 * Tensors that lie in parts (band.ts) have parts of many sizes below PART_BYTES; they all get slots of
 * that size, which the parts of other tensors and other plans then fit too.
 */
import type { Slot } from '../engine/plan.ts';
import type { Lifetime } from './liveness.ts';

/** The most that one part of a tensor has. */
export const PART_BYTES = 16 * 2 ** 20;

const slotSizeOf = (bytes: number): number =>
  bytes > PART_BYTES / 2 && bytes < PART_BYTES ? PART_BYTES : bytes;

export interface Assignment {
  readonly slots: readonly Slot[];
  /** Tensor id → slot index. */
  readonly slotOf: ReadonlyMap<number, number>;
}

export function assignSlots(lifetimes: readonly Lifetime[]): Assignment {
  const slots: { bytes: number; persistent: boolean; tenants: Lifetime[] }[] = [];
  const slotOf = new Map<number, number>();
  const order = lifetimes.toSorted(
    (a, b) => slotSizeOf(b.bytes) - slotSizeOf(a.bytes) || a.first - b.first,
  );
  for (const tensor of order) {
    // A tensor that outlives the run must not share with one that a later run overwrites.
    const persistent = tensor.last === Infinity;
    // Slots were made largest first: the last that is free fits best.
    const index = slots.findLastIndex(
      (slot) => !persistent && !slot.persistent && slot.tenants.every((t) => areApart(t, tensor)),
    );
    if (index === -1) {
      slotOf.set(tensor.id, slots.length);
      slots.push({
        bytes: persistent ? tensor.bytes : slotSizeOf(tensor.bytes),
        persistent,
        tenants: [tensor],
      });
    } else {
      slotOf.set(tensor.id, index);
      slots[index]?.tenants.push(tensor);
    }
  }
  return { slots: slots.map(({ bytes, persistent }) => ({ bytes, persistent })), slotOf };
}

/** A node reads its inputs while it writes: the last use of one comes strictly before the other. */
const areApart = (a: Lifetime, b: Lifetime): boolean => a.last < b.first || b.last < a.first;
