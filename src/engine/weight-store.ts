/**
 * Weight buffers on the GPU, by (key, layout, dtype), shared by every plan of a context.
 */
import { byteLength, format } from './kernel.ts';
import type { Allocator } from './memory.ts';
import type { PlanWeight } from './plan.ts';

const CHUNK_BYTES = 32 * 2 ** 20;

/** Staging that may pile up before an upload waits for the queue. */
const MAX_PENDING_BYTES = 4 * CHUNK_BYTES;

/** Memory that an upload takes besides the weights, at most. */
export const UPLOAD_STAGING_BYTES = MAX_PENDING_BYTES;

/** Weights with the same are one buffer. */
export const weightId = ({ key, layout, type }: PlanWeight): string =>
  `${key} ${layout} ${type.dtype}`;

export class WeightStore {
  readonly #queue: GPUQueue;
  readonly #allocator: Allocator;
  /** Whole weights only. */
  readonly #buffers = new Map<string, GPUBuffer>();
  readonly #uploads = new Map<string, Promise<void>>();
  /** Counts calls of `dispose`, which an upload may find behind it. */
  #generation = 0;
  #source: object | undefined;
  #totalBytes = 0;
  #pendingBytes = 0;

  constructor(queue: GPUQueue, allocator: Allocator) {
    this.#queue = queue;
    this.#allocator = allocator;
  }

  get totalBytes(): number {
    return this.#totalBytes;
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
    const buffer = this.#buffers.get(weightId(weight));
    if (!buffer) throw new Error(`weight ${weightId(weight)} is not uploaded`);
    return buffer;
  }

  /** Uploads a weight in the kernels' layout; nothing happens if it is there or on its way. */
  async upload(weight: PlanWeight, bytes: Uint8Array): Promise<void> {
    const id = weightId(weight);
    if (this.#buffers.has(id)) return;
    const upload = this.#uploads.get(id) ?? this.#upload(weight, bytes);
    this.#uploads.set(id, upload);
    try {
      await upload;
    } finally {
      if (this.#uploads.get(id) === upload) this.#uploads.delete(id);
    }
  }

  async #upload(weight: PlanWeight, bytes: Uint8Array): Promise<void> {
    const id = weightId(weight);
    if (bytes.byteLength !== byteLength(weight.type)) {
      throw new Error(
        `weight ${id} is ${format(weight.type)}, expected ${byteLength(weight.type)} bytes, got ${bytes.byteLength}`,
      );
    }
    const generation = this.#generation;
    const [buffer] = await this.#allocator.create([
      {
        label: weight.key,
        what: `weight ${weight.key} ${format(weight.type)}`,
        bytes: bytes.byteLength,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
      },
    ]);
    if (!buffer) return;
    try {
      await this.#write(buffer, bytes);
      if (generation !== this.#generation) throw new Error(`weight ${id} was freed meanwhile`);
    } catch (error) {
      this.#allocator.destroy(buffer);
      throw error;
    }
    this.#buffers.set(id, buffer);
    this.#totalBytes += buffer.size;
  }

  async #write(buffer: GPUBuffer, bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength; offset += CHUNK_BYTES) {
      const chunk = bytes.subarray(offset, offset + CHUNK_BYTES);
      this.#queue.writeBuffer(buffer, offset, wholeWords(chunk));
      this.#pendingBytes += chunk.byteLength;
      if (this.#pendingBytes < MAX_PENDING_BYTES) continue;
      this.#pendingBytes = 0;
      await this.#queue.onSubmittedWorkDone();
    }
  }

  /** Frees the weights of one checkpoint: those whose keys begin with `component/`. */
  release(component: string): void {
    for (const [id, buffer] of this.#buffers) {
      if (!id.startsWith(`${component}/`)) continue;
      this.#buffers.delete(id);
      this.#totalBytes -= buffer.size;
      this.#allocator.destroy(buffer);
    }
  }

  dispose(): void {
    this.#generation++;
    this.#uploads.clear();
    for (const buffer of this.#buffers.values()) this.#allocator.destroy(buffer);
    this.#buffers.clear();
    this.#source = undefined;
    this.#totalBytes = 0;
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
