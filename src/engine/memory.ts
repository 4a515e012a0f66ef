/**
 * GPU buffers and textures with byte accounting: checked allocation and the pool of slot buffers.
 *
 * Plans that run one after another share slots: a lease takes the pool's buffers best fit and adds
 * what is missing, and a buffer is destroyed when the last lease that uses it is released.
 */
import { type Capabilities, expectWithin } from './device.ts';
import { inScope } from './error-scope.ts';
import { DeviceError } from './errors.ts';
import { createQueue } from './queue.ts';

export class MemoryAccount {
  #bytes = 0;
  #peakBytes = 0;

  /** Bytes of the buffers and textures that exist now. */
  get bytes(): number {
    return this.#bytes;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export interface BufferRequest {
  /** After `invsr/`, e.g. `slot 3` or `unet/conv_in.weight`. */
  readonly label: string;
  /** The tensor or layer that needs it, for error messages. @default label */
  readonly what?: string | undefined;
  readonly bytes: number;
  readonly usage: GPUBufferUsageFlags;
}

/** Creates and destroys buffers on the device, and keeps the account. */
export class Allocator {
  readonly account = new MemoryAccount();
  readonly #device: GPUDevice;
  readonly #capabilities: Capabilities;

  constructor(device: GPUDevice, capabilities: Capabilities) {
    this.#device = device;
    this.#capabilities = capabilities;
  }

  /** All of them, or DeviceError and none. */
  async create(requests: readonly BufferRequest[]): Promise<GPUBuffer[]> {
    for (const { label, what = label, bytes } of requests) {
      expectWithin(this.#capabilities, 'maxBufferSize', { what, bytes });
    }
    const made = requests.map((request) => this.#createOne(request));
    // All at once: where the device is lost, none of them rejects unheard.
    const messages = await Promise.all(made.map(({ outOfMemory }) => outOfMemory));
    for (const [i, message] of messages.entries()) {
      const request = requests[i];
      if (message === undefined || !request) continue;
      for (const { buffer } of made) this.destroy(buffer);
      throw new DeviceError({
        what: `no memory for ${request.what ?? request.label}`,
        needed: `${request.bytes} bytes besides the ${this.account.bytes} in use`,
        got: message,
        remedy: 'Try a smaller tile or tile batch, precision f16 or another adapter.',
        isMemory: true,
      });
    }
    return made.map(({ buffer }) => buffer);
  }

  #createOne({ label, bytes, usage }: BufferRequest): {
    buffer: GPUBuffer;
    outOfMemory: Promise<string | undefined>;
  } {
    const size = bufferSize(bytes);
    const { result: buffer, error: outOfMemory } = inScope(this.#device, 'out-of-memory', () =>
      this.#device.createBuffer({ label: `invsr/${label}`, size, usage }),
    );
    this.account.add(size);
    return { buffer, outOfMemory };
  }

  destroy(buffer: GPUBuffer): void {
    this.account.remove(buffer.size);
    buffer.destroy();
  }

  /** A texture, there at once; `ready` rejects with DeviceError where there is no memory for it. */
  createTexture(request: TextureRequest): { texture: GPUTexture; ready: Promise<void> } {
    const { label, width, height, format, usage, viewFormats = [] } = request;
    const { result: texture, error } = inScope(this.#device, 'out-of-memory', () =>
      this.#device.createTexture({
        label: `invsr/${label}`,
        size: [width, height],
        format,
        usage,
        viewFormats: [...viewFormats],
      }),
    );
    this.account.add(textureBytes(request));
    const ready = error.then((message) => {
      if (message === undefined) return;
      throw new DeviceError({
        what: `no memory for the ${label} texture`,
        needed: `${textureBytes(request)} bytes besides the ${this.account.bytes} in use`,
        got: message,
        remedy: 'Try a smaller image or a region of it.',
        isMemory: true,
      });
    });
    return { texture, ready };
  }

  destroyTexture(texture: GPUTexture): void {
    this.giveTexture(texture);
    texture.destroy();
  }

  /** The texture is somebody else's from now on. */
  giveTexture(texture: GPUTexture): void {
    this.account.remove(textureBytes(texture));
  }
}

export interface TextureRequest {
  /** After `invsr/`. */
  readonly label: string;
  readonly width: number;
  readonly height: number;
  readonly format: 'rgba8unorm' | 'rgba16float';
  readonly usage: GPUTextureUsageFlags;
  readonly viewFormats?: readonly GPUTextureFormat[];
}

/** Of rgba8unorm and rgba16float, as the account has it. */
export const textureBytes = ({
  width,
  height,
  format,
}: Pick<GPUTexture, 'width' | 'height' | 'format'>): number =>
  width * height * (format === 'rgba16float' ? 8 : 4);

/** Bytes of the buffer made for `bytes`, and of a binding of it: whole words, at least one vec4f. */
export const bufferSize = (bytes: number): number => Math.max(16, Math.ceil(bytes / 4) * 4);

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
  leases: number;
}

// A large request must not find its buffer taken by a small one.
const largestFirst = (requests: readonly SlotRequest[]): [index: number, request: SlotRequest][] =>
  [...requests.entries()].toSorted(([, a], [, b]) => b.bytes - a.bytes);

/** Request → buffer of a pool with these `sizes`, best fit; requests that need a new one are left out. */
function fitSlots(
  requests: readonly SlotRequest[],
  sizes: readonly number[],
): ReadonlyMap<number, number> {
  const chosen = new Map<number, number>();
  const free = new Set(sizes.keys());
  for (const [index, { bytes, isExclusive }] of largestFirst(requests)) {
    if (isExclusive) continue;
    let best: number | undefined;
    for (const at of free) {
      const size = sizes[at] ?? 0;
      if (size >= bytes && size < (best === undefined ? Infinity : (sizes[best] ?? 0))) best = at;
    }
    if (best === undefined) continue;
    free.delete(best);
    chosen.set(index, best);
  }
  return chosen;
}

/** Bytes of the pool's buffers after leases by several plans, in this order. */
export function pooledBytes(leases: readonly (readonly SlotRequest[])[]): number {
  const pool: number[] = [];
  let exclusive = 0;
  for (const requests of leases) {
    const fits = fitSlots(requests, pool);
    for (const [index, { bytes, isExclusive }] of requests.entries()) {
      if (isExclusive) exclusive += bufferSize(bytes);
      else if (!fits.has(index)) pool.push(bufferSize(bytes));
    }
  }
  return exclusive + pool.reduce((a, b) => a + b, 0);
}

export class SlotPool {
  readonly #allocator: Allocator;
  readonly #shared = new Set<PooledBuffer>();
  /** Leases are made one after another, or two would each add the buffer that both could use. */
  readonly #queue = createQueue();

  constructor(allocator: Allocator) {
    this.#allocator = allocator;
  }

  lease(requests: readonly SlotRequest[]): Promise<SlotLease> {
    return this.#queue(() => this.#lease(requests));
  }

  async #lease(requests: readonly SlotRequest[]): Promise<SlotLease> {
    const pool = [...this.#shared];
    const chosen = new Map<number, PooledBuffer>();
    for (const [index, at] of fitSlots(
      requests,
      pool.map(({ buffer }) => buffer.size),
    )) {
      const entry = pool[at];
      if (entry) chosen.set(index, entry);
    }
    const used = new Set(chosen.values());
    const order = largestFirst(requests);
    const missing = order.filter(([index]) => !chosen.has(index));
    // Held while we wait for the new ones.
    for (const entry of used) entry.leases++;
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
        const request = missing[i];
        if (!request) continue;
        const entry = { buffer, leases: 1 };
        chosen.set(request[0], entry);
        if (!request[1].isExclusive) this.#shared.add(entry);
      }
    } catch (error) {
      for (const entry of used) this.#release(entry);
      throw error;
    }
    let isReleased = false;
    return {
      buffers: requests.flatMap((_, i) => chosen.get(i)?.buffer ?? []),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        for (const entry of chosen.values()) this.#release(entry);
      },
    };
  }

  #release(entry: PooledBuffer): void {
    entry.leases--;
    if (entry.leases > 0) return;
    this.#shared.delete(entry);
    this.#allocator.destroy(entry.buffer);
  }
}
