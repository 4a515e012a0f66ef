/**
 * InvSR in a worker: a device of the worker's own, calls of the page one by one, results as an
 * ImageBitmap or drawn into a canvas. worker-protocol.ts has the messages, worker-client.ts the page's side.
 */
import { requiredDevice } from '../engine/device.ts';
import { DeviceError, DeviceLostError } from '../engine/errors.ts';
import type { PrecisionWarning } from '../invsr/stage-precision.ts';
import { blobFolder } from '../weights/folder.ts';
import { InvSR } from './invsr.ts';
import { readImage } from './read-image.ts';
import { bitmapOf, type Screen, screenOn } from './screen.ts';
import type { MemoryUse, Progress, Region } from './types.ts';
import {
  type Call,
  type FromPage,
  type FromWorker,
  type Port,
  type SentCanvas,
  sentError,
} from './worker-protocol.ts';

/** Answers the page at the other end of `port`, which ends the worker when it is done with it. */
export function serve(port: Port<FromWorker, FromPage>): void {
  const server = new Server((message, transfer = []) => port.postMessage(message, { transfer }));
  port.addEventListener('message', ({ data }) => server.hear(data));
}

type Tell = (message: FromWorker, transfer?: Transferable[]) => void;

/** What a call is given beside its message. */
interface Watch {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly onTile: (region: Region) => void;
}

type Found = Pick<Extract<FromWorker, { kind: 'done' }>, 'image' | 'plan'>;

interface Engine {
  readonly device: GPUDevice;
  readonly sr: InvSR;
}

const NO_MEMORY: MemoryUse = { weightBytes: 0, otherBytes: 0, peakBytes: 0 };

class Server {
  readonly #tell: Tell;
  readonly #running = new Map<number, AbortController>();
  readonly #canvases = new Map<number, Screen>();
  #wasOpened = false;
  #engine: Engine | undefined;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  hear(message: FromPage): void {
    if (message.kind === 'abort') this.#running.get(message.call)?.abort();
    else void this.#answer(message);
  }

  async #answer({ call, ...asked }: Call & { readonly call: number }): Promise<void> {
    const stop = new AbortController();
    this.#running.set(call, stop);
    const watch: Watch = {
      signal: stop.signal,
      onProgress: (progress) => this.#tell({ kind: 'progress', call, progress }),
      onTile: (region) => this.#tell({ kind: 'tile', call, region }),
    };
    try {
      const found = await this.#run(asked, watch);
      const memory = this.#engine?.sr.memory ?? NO_MEMORY;
      this.#tell({ kind: 'done', call, memory, ...found }, found.image ? [found.image] : []);
    } catch (error) {
      this.#tell({ kind: 'failed', call, error: sentError(error) });
    } finally {
      this.#running.delete(call);
    }
  }

  async #run(asked: Call, { signal, onProgress, onTile }: Watch): Promise<Found> {
    switch (asked.kind) {
      case 'open':
        if (this.#wasOpened) throw invalidState('a model was opened before');
        this.#wasOpened = true;
        this.#engine = await openEngine(asked, signal, this.#tell);
        return {};
      case 'plan':
        return { plan: await this.#opened().sr.plan(asked.size, asked.settings) };
      case 'prepare':
        await this.#opened().sr.prepare(asked.size, { ...asked.settings, signal, onProgress });
        return {};
      case 'upscale':
        return {
          image: await this.#upscale(this.#opened(), asked, { signal, onProgress, onTile }),
        };
    }
  }

  async #upscale(
    { device, sr }: Engine,
    { input, settings, canvas, tiles }: Extract<Call, { kind: 'upscale' }>,
    { onTile, ...watch }: Watch,
  ): Promise<ImageBitmap | undefined> {
    try {
      const screen = canvas && this.#screen(device, canvas);
      const texture = await sr.upscale(input, {
        ...settings,
        ...watch,
        onTile:
          screen || tiles
            ? (region, output) => {
                screen?.show(output, settings.colorSpace);
                onTile(region);
              }
            : undefined,
      });
      try {
        if (!screen) return await resultOf(device, texture, settings.colorSpace);
        screen.show(texture, settings.colorSpace);
        return undefined;
      } finally {
        texture.destroy();
      }
    } finally {
      if ('close' in input) input.close();
    }
  }

  #opened(): Engine {
    if (!this.#engine) throw invalidState('no model is open');
    return this.#engine;
  }

  #screen(device: GPUDevice, { number, canvas }: SentCanvas): Screen {
    const known = this.#canvases.get(number);
    if (known) return known;
    if (!canvas) throw invalidState(`canvas ${number} is not there, or cannot be drawn to`);
    const screen = screenOn(device, canvas);
    this.#canvases.set(number, screen);
    return screen;
  }
}

/** Of a texture that can be read and copied: without a readback, or with one where no canvas of this worker can have it. */
async function resultOf(
  device: GPUDevice,
  texture: GPUTexture,
  colorSpace: PredefinedColorSpace = 'srgb',
): Promise<ImageBitmap> {
  try {
    return bitmapOf(device, texture, colorSpace);
  } catch {
    const { data, width, height } = await readImage(device, texture, { colorSpace });
    return createImageBitmap(new ImageData(data, width, height, { colorSpace }));
  }
}

const invalidState = (message: string): DOMException =>
  new DOMException(message, 'InvalidStateError');

async function openEngine(
  { weights, settings }: Extract<Call, { kind: 'open' }>,
  signal: AbortSignal,
  tell: Tell,
): Promise<Engine> {
  const device = await openDevice();
  void device.lost.then(({ message, reason }) => {
    // `destroyed` too: so Chromium calls the end of its GPU process.
    const error = new DeviceLostError(`the device was lost (${reason}): ${message}`);
    tell({ kind: 'lost', error: sentError(error) });
  });
  try {
    const folder = typeof weights === 'string' ? weights : blobFolder(weights.name, weights.files);
    const onWarning = (warning: PrecisionWarning): void => tell({ kind: 'warning', warning });
    const options = { ...settings, signal, device, weights: folder, onWarning };
    return { device, sr: await InvSR.open(options) };
  } catch (error) {
    device.destroy();
    throw error;
  }
}

async function openDevice(): Promise<GPUDevice> {
  const adapter = await globalThis.navigator?.gpu?.requestAdapter({
    powerPreference: 'high-performance',
  });
  if (adapter) return adapter.requestDevice(requiredDevice(adapter));
  throw new DeviceError({
    what: 'WebGPU in a worker',
    needed: 'an adapter',
    got: 'none',
    remedy: 'Update the browser, or switch hardware acceleration on.',
  });
}
