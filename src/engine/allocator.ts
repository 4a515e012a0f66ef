/**
 * GPU buffers and textures of our own: created under an error scope, so that what the device has no
 * memory for is a DeviceError that says how much was asked for, and counted in an account.
 */
import { type Capabilities, expectWithin } from './device.ts';
import { inScope } from './error-scope.ts';
import { DeviceError } from './errors.ts';
import { letGo } from './slices.ts';

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

interface MadeBuffer {
  readonly buffer: GPUBuffer;
  /** The device has no memory for it, in words. */
  readonly outOfMemory: Promise<string | undefined>;
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
    const made: MadeBuffer[] = [];
    for (const request of requests) {
      await letGo();
      made.push(this.#createOne(request));
    }
    const messages = await Promise.all(made.map(({ outOfMemory }) => outOfMemory));
    for (const [i, message] of messages.entries()) {
      const request = requests[i];
      if (message === undefined || !request) continue;
      for (const { buffer } of made) this.destroy(buffer);
      const remedy = 'Try a smaller tile or tile batch, precision f16 or another adapter.';
      const { label, what = label, bytes } = request;
      throw this.#noMemory({ what, bytes, got: message, remedy });
    }
    return made.map(({ buffer }) => buffer);
  }

  #createOne({ label, bytes, usage }: BufferRequest): MadeBuffer {
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
      const remedy = 'Try a smaller image or a region of it.';
      const bytes = textureBytes(request);
      throw this.#noMemory({ what: `the ${label} texture`, bytes, got: message, remedy });
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

  #noMemory(refused: { what: string; bytes: number; got: string; remedy: string }): DeviceError {
    const { what, bytes, got, remedy } = refused;
    return new DeviceError({
      what: `no memory for ${what}`,
      needed: `${bytes} bytes besides the ${this.account.bytes} in use`,
      got,
      remedy,
      isMemory: true,
    });
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
