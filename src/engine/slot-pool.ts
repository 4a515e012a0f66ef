/**
 * The pool of slot buffers: plans that run one after another share them.
 *
 * A lease takes the pool's buffers best fit and adds what is missing; a buffer is destroyed when the
 * last lease that uses it is released. Exclusive slots are in no pool.
 */
import type { Allocator } from './allocator.ts';
import { createQueue } from './queue.ts';

export interface SlotRequest {
  readonly bytes: number;
  /** The largest tensor that lives there, for error messages. */
  readonly what: string;
  /** Its content must outlive other plans' runs. */
  readonly isExclusive: boolean;
}

export interface SlotLease {
  /** One buffer per request, each at least as large. */
  readonly buffers: readonly GPUBuffer[];
  release(): void;
}

interface PooledBuffer {
  readonly buffer: GPUBuffer;
  readonly size: number;
  leases: number;
}

// A large request must not find its buffer taken by a small one.
const largestFirst = (requests: readonly SlotRequest[]): [index: number, request: SlotRequest][] =>
  [...requests.entries()].toSorted(([, a], [, b]) => b.bytes - a.bytes);

/** Request → entry of the pool, best fit; requests that need a new one are left out. */
export function fitSlots<Entry extends { readonly size: number }>(
  requests: readonly SlotRequest[],
  pool: Iterable<Entry>,
): Map<number, Entry> {
  const chosen = new Map<number, Entry>();
  const free = new Set(pool);
  for (const [index, { bytes, isExclusive }] of largestFirst(requests)) {
    if (isExclusive) continue;
    let best: Entry | undefined;
    for (const entry of free) {
      if (entry.size >= bytes && entry.size < (best?.size ?? Infinity)) best = entry;
    }
    if (!best) continue;
    free.delete(best);
    chosen.set(index, best);
  }
  return chosen;
}

export class SlotPool {
  readonly #allocator: Allocator;
  readonly #shared = new Set<PooledBuffer>();
  /** Leases are made one after another, or two would each add the buffer that both could use. */
  readonly #queue = createQueue();

  constructor(allocator: Allocator) {
    this.#allocator = allocator;
  }

  /** DeviceError where there is no memory for what is missing; nothing is held then. */
  lease(requests: readonly SlotRequest[]): Promise<SlotLease> {
    return this.#queue(() => this.#lease(requests));
  }

  async #lease(requests: readonly SlotRequest[]): Promise<SlotLease> {
    const chosen = fitSlots(requests, this.#shared);
    const missing = largestFirst(requests).filter(([index]) => !chosen.has(index));
    // Held while we wait for the new ones.
    for (const entry of chosen.values()) entry.leases++;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      for (const entry of chosen.values()) this.#release(entry);
    };
    try {
      const buffers = await this.#allocator.create(
        missing.map(([index, { bytes, what }]) => ({
          label: `slot ${index}`,
          what,
          bytes,
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
        })),
      );
      for (const [i, buffer] of buffers.entries()) {
        const [index, request] = missing[i] ?? [];
        if (index === undefined) continue;
        const entry = { buffer, size: buffer.size, leases: 1 };
        chosen.set(index, entry);
        if (!request?.isExclusive) this.#shared.add(entry);
      }
    } catch (error) {
      release();
      throw error;
    }
    return { buffers: requests.flatMap((_, i) => chosen.get(i)?.buffer ?? []), release };
  }

  #release(entry: PooledBuffer): void {
    entry.leases--;
    if (entry.leases > 0) return;
    this.#shared.delete(entry);
    this.#allocator.destroy(entry.buffer);
  }
}
