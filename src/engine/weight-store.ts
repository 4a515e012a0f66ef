/**
 * Weight buffers on the GPU, by (key, layout, dtype, blocks), shared by every plan of a context.
 *
 *   load      makes the buffers of many weights at once and has them filled; all of them, or none
 *   release   frees one component's (`unet`); whoever needs them loads them again
 *
 * A weight is there when all of its bytes are. Loads that overlap share what is on its way.
 */
import { byteLength, format } from './kernel.ts';
import type { Allocator } from './allocator.ts';
import { workDone } from './nudge.ts';
import type { PlanWeight } from './plan.ts';
import { letGo } from './slices.ts';

/** Larger writes get staging memory of their own from Dawn instead of what it uses again. */
const CHUNK_BYTES = 4 * 2 ** 20;

/** Twice as much staging may pile up before an upload waits for the queue. */
const FENCE_BYTES = 32 * 2 ** 20;

const USAGE = (): GPUBufferUsageFlags =>
  GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;

/** `unet` of `unet/conv_in.weight`. */
const componentOf = (key: string): string => key.slice(0, key.indexOf('/'));

/** Writes every byte of every weight, in the kernels' layout, to the buffer of the same index. */
export type Fill = (weights: readonly PlanWeight[], buffers: readonly GPUBuffer[]) => Promise<void>;

interface Stored {
  readonly component: string;
  readonly buffer: GPUBuffer;
}

/** A load under way. */
interface Load {
  readonly ids: ReadonlySet<string>;
  readonly components: ReadonlySet<string>;
  /** Settles with the load; never rejects. */
  ended: Promise<void>;
  isFreed: boolean;
}

/** Weights with the same are one buffer. */
export const weightId = ({ key, layout, type, paired, blocks }: PlanWeight): string =>
  `${key} ${layout} ${type.dtype}${paired ? ' paired' : ''}${blocks ? ` ${blocks.k}x${blocks.n}` : ''}`;

export class WeightStore {
  readonly #device: GPUDevice;
  readonly #allocator: Allocator;
  /** Whole weights only. */
  readonly #buffers = new Map<string, Stored>();
  readonly #loads = new Set<Load>();
  #source: object | undefined;
  #pendingBytes = 0;
  /** The latest point that the queue was asked to tell of. */
  #fence: Promise<unknown> = Promise.resolve();
  #releases = 0;

  constructor(device: GPUDevice, allocator: Allocator) {
    this.#device = device;
    this.#allocator = allocator;
  }

  get totalBytes(): number {
    return [...this.bytesByComponent().values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Bytes of the buffers of `unet`, `vae` and so on. */
  bytesByComponent(): ReadonlyMap<string, number> {
    const bytes = new Map<string, number>();
    for (const { component, buffer } of this.#buffers.values()) {
      bytes.set(component, (bytes.get(component) ?? 0) + buffer.size);
    }
    return bytes;
  }

  /** Grows when buffers are freed: what was bound before may be gone. */
  get releases(): number {
    return this.#releases;
  }

  /** Weights are known by their names alone, so all of them must come from one `source`. */
  claim(source: object): void {
    this.#source ??= source;
    if (this.#source !== source) {
      throw new Error('this context holds the weights of another model; use one context per model');
    }
  }

  has(weight: PlanWeight): boolean {
    return this.#buffers.has(weightId(weight));
  }

  at(weight: PlanWeight): GPUBuffer {
    const buffer = this.#buffers.get(weightId(weight))?.buffer;
    if (!buffer) throw new Error(`weight ${weightId(weight)} is not uploaded`);
    return buffer;
  }

  /**
   * Has `fill` upload those of `weights` that are neither there nor on their way, and waits for all.
   * `fill` must have ended all use of the buffers when it settles: they are destroyed where it
   * rejects. Where somebody else's load fails, this one goes on with what that left missing.
   */
  async load(weights: readonly PlanWeight[], fill: Fill): Promise<void> {
    for (;;) {
      const missing = weights.filter((weight) => !this.has(weight));
      const under = [...this.#loads].filter(
        ({ ids, isFreed }) => !isFreed && missing.some((weight) => ids.has(weightId(weight))),
      );
      const own = missing.filter((weight) => !under.some(({ ids }) => ids.has(weightId(weight))));
      if (own.length > 0) await this.#load(own, fill);
      else if (under.length > 0) await Promise.all(under.map(({ ended }) => ended));
      else return;
    }
  }

  async #load(weights: readonly PlanWeight[], fill: Fill): Promise<void> {
    const distinct = new Map(weights.map((weight) => [weightId(weight), weight]));
    const load: Load = {
      ids: new Set(distinct.keys()),
      components: new Set(weights.map(({ key }) => componentOf(key))),
      ended: Promise.resolve(),
      isFreed: false,
    };
    this.#loads.add(load);
    const work = this.#make(load, [...distinct.values()], fill);
    load.ended = work.catch(() => {});
    await work;
  }

  async #make(load: Load, weights: readonly PlanWeight[], fill: Fill): Promise<void> {
    let buffers: readonly GPUBuffer[] = [];
    try {
      buffers = await this.#allocator.create(
        weights.map(({ key, type }) => ({
          label: key,
          what: `weight ${key} ${format(type)}`,
          bytes: byteLength(type),
          usage: USAGE(),
        })),
      );
      await fill(weights, buffers);
      if (load.isFreed) {
        throw new Error(`weights of ${[...load.components].join(', ')} were freed meanwhile`);
      }
      for (const [i, weight] of weights.entries()) {
        const buffer = buffers[i];
        const component = componentOf(weight.key);
        if (buffer) this.#buffers.set(weightId(weight), { component, buffer });
      }
    } catch (error) {
      for (const buffer of buffers) this.#allocator.destroy(buffer);
      throw error;
    } finally {
      this.#loads.delete(load);
    }
  }

  /** Whole weights from the host, a chunk at a time. */
  async write(buffer: GPUBuffer, bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength; offset += CHUNK_BYTES) {
      await letGo();
      const chunk = bytes.subarray(offset, offset + CHUNK_BYTES);
      this.#device.queue.writeBuffer(buffer, offset, wholeWords(chunk));
      this.#pendingBytes += chunk.byteLength;
      if (this.#pendingBytes < FENCE_BYTES) continue;
      this.#pendingBytes = 0;
      const before = this.#fence;
      this.#fence = workDone(this.#device);
      // The last one may have nobody who waits.
      this.#fence.catch(() => {});
      await before;
    }
  }

  /**
   * Frees the buffers of one component; plans that use them must not run again before a load. Loads
   * of it that are under way reject at their end.
   */
  release(component: string): void {
    this.#releases++;
    for (const load of this.#loads) load.isFreed ||= load.components.has(component);
    for (const [id, stored] of this.#buffers) {
      if (stored.component !== component) continue;
      this.#buffers.delete(id);
      this.#allocator.destroy(stored.buffer);
    }
    // Dawn gives memory back when it has seen the end of a later submit.
    this.#device.queue.submit([]);
  }

  dispose(): void {
    this.#releases++;
    for (const load of this.#loads) load.isFreed = true;
    for (const { buffer } of this.#buffers.values()) this.#allocator.destroy(buffer);
    this.#buffers.clear();
    this.#source = undefined;
  }
}

/** Writes are of whole words; only a tensor's last chunk can be ragged. */
function wholeWords(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const size = Math.ceil(chunk.byteLength / 4) * 4;
  if (size === chunk.byteLength && chunk.buffer instanceof ArrayBuffer) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, size);
  }
  const padded = new Uint8Array(size);
  padded.set(chunk);
  return padded;
}
