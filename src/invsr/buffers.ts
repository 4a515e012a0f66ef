/** The buffers that the plans of one upscale hand to each other, by external name. */
import type { EngineContext } from '../engine/context.ts';
import { byteLength } from '../engine/kernel.ts';
import type { Plan } from '../engine/plan.ts';

export class Buffers {
  readonly #context: EngineContext;
  readonly #shared: Buffers | undefined;
  readonly #buffers = new Map<string, GPUBuffer>();

  /** Names that `shared` has are taken from there. */
  constructor(context: EngineContext, shared?: Buffers) {
    this.#context = context;
    this.#shared = shared;
  }

  /** The buffers of a plan's externals. Missing ones are created, zeroed as WebGPU does. */
  async for(plan: Plan): Promise<Readonly<Record<string, GPUBuffer>>> {
    const found: Record<string, GPUBuffer> = {};
    for (const [name, type] of Object.entries(plan.externals)) {
      found[name] = await this.create(name, byteLength(type));
    }
    return found;
  }

  /**
   * Fills an external before a run; its buffer is created at the first write. One that was created
   * before can be filled in parts, from `offset` on, a multiple of 4.
   */
  async write(
    name: string,
    data: Uint8Array | Uint32Array | Float32Array,
    offset = 0,
  ): Promise<void> {
    const buffer = await this.create(name, data.byteLength);
    const bytes = new Uint8Array(data.byteLength);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.#context.device.queue.writeBuffer(buffer, offset, bytes);
  }

  at(name: string): GPUBuffer {
    const buffer = this.#find(name);
    if (!buffer) throw new Error(`no buffer named ${name}`);
    return buffer;
  }

  /** The buffer called `name`, made with `bytes` zeros if there is none. */
  async create(name: string, bytes: number): Promise<GPUBuffer> {
    return this.#find(name) ?? (await this.#create(name, bytes));
  }

  #find(name: string): GPUBuffer | undefined {
    const shared = this.#shared;
    return this.#buffers.get(name) ?? (shared && shared.#find(name));
  }

  dispose(): void {
    for (const buffer of this.#buffers.values()) this.#context.allocator.destroy(buffer);
    this.#buffers.clear();
  }

  async #create(name: string, bytes: number): Promise<GPUBuffer> {
    const [buffer] = await this.#context.allocator.create([
      {
        label: name,
        bytes,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      },
    ]);
    if (!buffer) throw new Error(`no buffer for ${name}`);
    this.#buffers.set(name, buffer);
    return buffer;
  }
}
