/** Slot assignment over random lifetimes: nothing live is overwritten, little is wasted. */
import { describe, expect, test } from 'vitest';
import type { Lifetime } from '../../src/graph/liveness.ts';
import { assignSlots } from '../../src/graph/slots.ts';
import { uniform } from '../harness/random.ts';

function randomLifetimes(seed: number): Lifetime[] {
  const next = uniform(seed);
  const count = 1 + Math.floor(next() * 60);
  return Array.from({ length: count }, (_, id) => ({
    id,
    bytes: 16 * (1 + Math.floor(next() * 1000)),
    first: id,
    last: next() < 0.05 ? Infinity : id + Math.floor(next() ** 2 * 20),
  }));
}

/** Bytes alive at the worst moment. */
const peakOf = (lifetimes: readonly Lifetime[]): number =>
  Math.max(
    ...lifetimes.map(({ first }) =>
      lifetimes
        .filter((l) => l.first <= first && l.last >= first)
        .reduce((sum, l) => sum + l.bytes, 0),
    ),
  );

describe('500 random lifetimes', () => {
  test.each([1, 2, 3, 4, 5])('block %i', (block) => {
    for (let seed = block * 100; seed < block * 100 + 100; seed++) {
      const lifetimes = randomLifetimes(seed);
      const { slots, slotOf } = assignSlots(lifetimes);
      for (const a of lifetimes) {
        const slot = slotOf.get(a.id)!;
        expect(slots[slot]!.bytes, `seed ${seed}`).toBeGreaterThanOrEqual(a.bytes);
        expect(slots[slot]!.persistent || a.last < Infinity, `seed ${seed}`).toBe(true);
        for (const b of lifetimes) {
          if (a.id >= b.id || slotOf.get(b.id) !== slot) continue;
          // A node reads its inputs while it writes: the last reader must come strictly before.
          expect(a.last, `seed ${seed}: ${a.id} and ${b.id}`).toBeLessThan(b.first);
        }
      }
      const total = slots.reduce((sum, { bytes }) => sum + bytes, 0);
      expect(total).toBeGreaterThanOrEqual(peakOf(lifetimes));
      expect(total).toBeLessThanOrEqual(lifetimes.reduce((sum, { bytes }) => sum + bytes, 0));
    }
  });
});

test('a chain of equal tensors takes two slots', () => {
  const chain = Array.from({ length: 10 }, (_, id) => ({ id, bytes: 64, first: id, last: id + 1 }));
  expect(assignSlots(chain).slots).toHaveLength(2);
});

test('what must survive is never shared', () => {
  const { slots, slotOf } = assignSlots([
    { id: 0, bytes: 64, first: 0, last: 0 },
    { id: 1, bytes: 32, first: 5, last: Infinity },
    { id: 2, bytes: 16, first: 6, last: 7 },
  ]);
  expect(slots[slotOf.get(1)!]).toEqual({ bytes: 32, persistent: true });
  expect(slotOf.get(2)).toBe(slotOf.get(0));
});
