/**
 * InvSR in a worker, as the page sees it: the interface of InvSR with images of the page in place of
 * textures. The page's main thread does nothing but send and receive.
 *
 *   const sr = await InvSRWorker.load({ weights: '/weights/invsr-nano/' });
 *   const sharp = await sr.upscale(await createImageBitmap(file), { signal }); // ImageBitmap, x4
 *   sr.dispose();
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import { colorSpaceOf, type PageImage } from '../engine/image-upload.ts';
import type { MemoryPlan } from '../invsr/memory-plan.ts';
import type { PrecisionWarning } from '../invsr/stage-precision.ts';
import type { BlobFolder } from '../weights/folder.ts';
import { DISPOSE } from './dispose.ts';
import { inputSize } from './input.ts';
import { sentImage, sentWeights } from './sent.ts';
import type { MemoryUse, NetworkOptions, Region, Watched } from './types.ts';
import { type Done, WorkerCalls } from './worker-calls.ts';
import {
  type OpenSettings,
  type PlanSettings,
  receivedError,
  type UpscaleSettings,
} from './worker-protocol.ts';

export interface WorkerLoadOptions extends OpenSettings, Watched {
  /**
   * A model folder's address, relative to the page, or a folder of files (`droppedFolder`, `opfsStore` of
   * invsr-webgpu/browser).
   */
  readonly weights: string | URL | BlobFolder;
  /** With `check`: hears of networks that go on in f32. @default nobody */
  readonly onWarning?: ((warning: PrecisionWarning) => void) | undefined;
  /**
   * A worker that runs `invsr-webgpu/worker-script`, where your bundler does not find it by itself; ended
   * by `dispose`. @default one made by the library
   */
  readonly worker?: Worker;
}

export interface WorkerUpscaleOptions extends UpscaleSettings, Watched {
  /**
   * Drawn into as tiles appear, in place of an ImageBitmap: `element.transferControlToOffscreen()`. It
   * takes the result's size, and may be given again.
   */
  readonly canvas?: OffscreenCanvas;
  /** A part of the result is there, in its pixels; with `canvas`, on it. */
  readonly onTile?: ((region: Region) => void) | undefined;
}

/** Made by {@link InvSRWorker.load}; ends with `dispose`. */
export class InvSRWorker implements Disposable {
  readonly #calls: WorkerCalls;
  readonly #lost = new AbortController();
  #memory: MemoryUse = { weightBytes: 0, otherBytes: 0, peakBytes: 0 };

  private constructor(worker: Worker, onWarning: WorkerLoadOptions['onWarning']) {
    this.#calls = new WorkerCalls(worker, (event) => {
      if (event.kind === 'lost') this.#lost.abort(receivedError(event.error));
      else onWarning?.(event.warning);
    });
  }

  /**
   * Starts a worker, its device and a model; weights are loaded by the first `prepare` or `upscale`. Rejects
   * as InvSR.open does; DeviceError where workers have no WebGPU.
   */
  static async open({
    worker = new Worker(new URL('../worker-script.ts', import.meta.url), { type: 'module' }),
    weights,
    signal,
    onProgress,
    onWarning,
    ...settings
  }: WorkerLoadOptions): Promise<InvSRWorker> {
    const client = new InvSRWorker(worker, onWarning);
    try {
      const call = { kind: 'open', weights: sentWeights(weights), settings } as const;
      await client.#call(call, { signal, onProgress });
      return client;
    } catch (error) {
      client.dispose();
      throw error;
    }
  }

  /** The same, with weights loaded and networks compiled for a batch of tiles with these options. */
  static async load(options: WorkerLoadOptions): Promise<InvSRWorker> {
    const client = await InvSRWorker.open(options);
    try {
      const { signal, onProgress } = options;
      await client.prepare(undefined, { signal, onProgress });
      return client;
    } catch (error) {
      client.dispose();
      throw error;
    }
  }

  /** Aborted with DeviceLostError when the worker's device is lost: dispose, and load again. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** On the worker's device, after the last call that ended. */
  get memory(): MemoryUse {
    return this.#memory;
  }

  /** What an input, or one of this size, will take of the device's memory; rejects as InvSR.plan does. */
  async plan(input: PageImage | ImageSize, settings: PlanSettings = {}): Promise<MemoryPlan> {
    const { plan } = await this.#call({ kind: 'plan', size: inputSize(input), settings }, {});
    if (!plan) throw new Error('the worker gave no plan');
    return plan;
  }

  /** Compiles and allocates for an input, or those of one size, ahead of the first call; without one for a full batch of tiles. */
  async prepare(
    input?: PageImage | ImageSize,
    { signal, onProgress, ...settings }: NetworkOptions & Watched = {},
  ): Promise<void> {
    const size = input && inputSize(input);
    await this.#call({ kind: 'prepare', size, settings }, { signal, onProgress });
  }

  /**
   * An image of four times the size. Bytes, an ImageBitmap or a VideoFrame are copied to the worker and
   * stay yours; of an element or canvas it is what it shows now. Calls wait for each other. Rejects as
   * InvSR.upscale does.
   */
  upscale(
    input: PageImage,
    options: WorkerUpscaleOptions & { readonly canvas: OffscreenCanvas },
  ): Promise<undefined>;
  upscale(
    input: PageImage,
    options?: WorkerUpscaleOptions & { readonly canvas?: undefined },
  ): Promise<ImageBitmap>;
  async upscale(
    input: PageImage,
    { canvas, signal, onProgress, onTile, ...settings }: WorkerUpscaleOptions = {},
  ): Promise<ImageBitmap | undefined> {
    signal?.throwIfAborted();
    const colorSpace = settings.colorSpace ?? colorSpaceOf(input) ?? 'srgb';
    const sending = sentImage(input);
    // Not awaited where it is there: the caller may close or overwrite the image right after this call.
    const { image, own } = sending instanceof Promise ? await sending : sending;
    const sent = canvas && this.#calls.canvas(canvas);
    try {
      const { image: result } = await this.#call(
        {
          kind: 'upscale',
          input: image,
          canvas: sent,
          tiles: onTile !== undefined,
          settings: { ...settings, colorSpace },
        },
        { signal, onProgress, onTile },
        [...own, ...(sent?.canvas ? [sent.canvas] : [])],
      );
      return result;
    } finally {
      if (image !== input && 'close' in image) image.close(); // where it was not handed over
    }
  }

  /** Ends the worker, and with it all it holds. Calls under way reject. */
  dispose(): void {
    this.#calls.end(new DOMException('the worker was disposed of', 'AbortError'));
  }

  [DISPOSE](): void {
    this.dispose();
  }

  async #call(...call: Parameters<WorkerCalls['make']>): Promise<Done> {
    const done = await this.#calls.make(...call);
    this.#memory = done.memory;
    return done;
  }
}
