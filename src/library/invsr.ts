/**
 * InvSR: images on the device in, images four times as large out, without a readback.
 *
 *   input ─copy─▶ texture ─loadImage─▶ lr ─GPU frame─▶ final ─imageStore─▶ output
 *
 * One instance is one model on one device with its own weights and buffers; instances do not know of each
 * other. Calls of one instance wait for each other.
 */
import { type EngineContext, createContext } from '../engine/context.ts';
import {
  expectReadable,
  type GpuImage,
  type ImageSize,
  type Rectangle,
} from '../engine/gpu-image.ts';
import { imageStore, loadImage } from '../engine/image-pass.ts';
import { colorSpaceOf, type Upload, uploadImage } from '../engine/image-upload.ts';
import { createQueue } from '../engine/queue.ts';
import { Buffers } from '../invsr/buffers.ts';
import { checkGuidance } from '../invsr/check-model.ts';
import {
  expectFrameFits,
  finishFrame,
  type FrameJob,
  type FramePlan,
  lrBytes,
  padFrame,
  planFrame,
  runFrame,
  runOnce,
  settledBy,
} from '../invsr/gpu-frame.ts';
import { enlargeGraph } from '../invsr/image-graphs.ts';
import { type Model, openModel } from '../invsr/model.ts';
import { timestepsOf } from '../invsr/scheduler.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import { TileNetworks, type TileProgress } from '../invsr/tile-networks.ts';
import { type UpscalerOptions, withDefaults } from '../invsr/upscaler-options.ts';
import { urlFolder } from '../weights/folder.ts';
import { inputSize, isGpuImage } from './input.ts';
import { createOutput, expectOutput, expectTextureFits } from './output.ts';
import type {
  ImageInput,
  LoadOptions,
  MemoryUse,
  NetworkOptions,
  Progress,
  UpscaleOptions,
  Watched,
} from './types.ts';
import { expectRegion, windowOf } from './window.ts';

/** Networks kept for other options than the latest: of one other kind. */
const KEPT_NETWORKS = 2;

/** One call of `upscale`: everything that is known before its turn. */
interface Call<Output extends GpuImage> {
  readonly options: UpscaleOptions<Output>;
  /** What of the input is computed, and what of that is the result. */
  readonly window: Rectangle;
  readonly region: Rectangle;
  /** On the device, the caller's or copied. */
  readonly source: { readonly image: GpuImage; readonly at: Rectangle };
  readonly upload: Upload | undefined;
  readonly frame: FramePlan;
  readonly signal: AbortSignal;
}

export class InvSR implements Disposable {
  readonly model: Model;
  readonly #context: EngineContext;
  readonly #options: Pick<UpscalerOptions, 'precision' | 'lowMemory'>;
  readonly #ownsModel: boolean;
  readonly #queue = createQueue();
  readonly #disposed = new AbortController();
  /** By what distinguishes them; the latest used last. */
  readonly #networks = new Map<string, TileNetworks>();

  private constructor(context: EngineContext, model: Model, options: LoadOptions) {
    const { precision, lowMemory = false, weights } = options;
    this.#context = context;
    this.model = model;
    this.#options = { lowMemory, ...(precision && { precision }) };
    this.#ownsModel = model !== weights;
  }

  /**
   * Opens the model and reads its headers; weights are loaded by the first `prepare` or `upscale`. So
   * `plan` tells what a run will take before anything is downloaded.
   */
  static async open(options: LoadOptions): Promise<InvSR> {
    const { device, weights, designs, signal } = options;
    signal?.throwIfAborted();
    const model = await modelOf(weights);
    const context = createContext(device, designs && { designs });
    const opened = new InvSR(context, model, options);
    try {
      signal?.throwIfAborted();
      context.lost.throwIfAborted();
    } catch (error) {
      opened.dispose();
      throw error;
    }
    return opened;
  }

  /** Opens the model, loads the weights and compiles the networks for the default options. */
  static async load(options: LoadOptions): Promise<InvSR> {
    const opened = await InvSR.open(options);
    try {
      const { signal, onProgress } = options;
      await opened.prepare({ width: 1, height: 1 }, { signal, onProgress });
      return opened;
    } catch (error) {
      opened.dispose();
      throw error;
    }
  }

  /** Loads, compiles and allocates what images of one size need, ahead of the first call. */
  async prepare(size: ImageSize, options: NetworkOptions & Watched = {}): Promise<void> {
    const { frame, settings } = this.#planOf(size, { x: 0, y: 0, ...size }, options);
    const signal = this.#stops(options.signal);
    await this.#inTurn(signal, async () => {
      const networks = this.#use(settings);
      const onProgress = networkProgress(options.onProgress);
      for (const count of new Set(frame.batches.map((batch) => batch.count))) {
        await networks.prepare(count, { noise: 'generated', signal, onProgress });
      }
    });
  }

  /**
   * The input, or a region of it, four times as large: into `output`, or a new texture.
   *
   * Resolves when the last work is queued: what the caller submits afterwards sees the result. (Await
   * `device.queue.onSubmittedWorkDone()` to know that it is done.) Calls wait for each other.
   *
   * TypeError: the input or the output cannot be read or written as it is. RangeError: sizes, regions and
   * options that make no sense. ImageSizeError: too large for this device. DeviceError: no memory, or a limit
   * is too low. CompileError, DeviceLostError. CheckpointError, WeightError: the model. The signal's reason
   * where it aborts, within one submit; AbortError after `dispose`.
   */
  async upscale<Output extends GpuImage = GPUTexture>(
    input: ImageInput,
    options: UpscaleOptions<Output> = {},
  ): Promise<Output> {
    const { device, allocator } = this.#context;
    const signal = this.#stops(options.signal);
    signal.throwIfAborted();
    const size = inputSize(input);
    const { region = { x: 0, y: 0, ...size }, output } = options;
    expectRegion(region, size);
    const { frame, window, settings } = this.#planOf(size, region, options);
    const result = { width: SCALE * region.width, height: SCALE * region.height };
    if (output) expectOutput(device, output, result);
    else expectTextureFits(device, result);
    let source: Call<Output>['source'];
    let upload: Upload | undefined;
    if (isGpuImage(input)) {
      expectReadable(device, 'the input', input);
      source = { image: input, at: window };
    } else {
      const colorSpace = options.colorSpace ?? colorSpaceOf(input) ?? 'srgb';
      upload = uploadImage(device, allocator, input, { from: window, colorSpace });
      source = { image: upload.texture, at: { ...window, x: 0, y: 0 } };
    }
    try {
      const call = { options, window, region, source, upload, frame, signal };
      return await this.#inTurn(signal, () => this.#upscale(call, this.#use(settings)));
    } finally {
      if (upload) allocator.destroyTexture(upload.texture);
    }
  }

  async #upscale<Output extends GpuImage>(
    call: Call<Output>,
    networks: TileNetworks,
  ): Promise<Output> {
    const { options, region, frame, signal, source } = call;
    const { device, allocator } = this.#context;
    const { inputTransfer = 'srgb', outputTransfer = inputTransfer, onTile } = options;
    const result = { width: SCALE * region.width, height: SCALE * region.height };
    await call.upload?.ready;
    const buffers = new Buffers(this.#context);
    let made: GPUTexture | undefined;
    try {
      if (!options.output) made = await createOutput(this.#context, result, outputTransfer);
      // Where the caller gives none, Output is GPUTexture.
      const output = options.output ?? (made as unknown as Output);
      const store = await imageStore(device, output, outputTransfer);
      const { width, height } = frame.lr;
      const lr = await buffers.create('lr', lrBytes(frame.lr));
      await loadImage(device, {
        image: source.image,
        from: source.at,
        transfer: call.upload ? 'srgb' : inputTransfer,
        tensor: lr,
        width,
        height,
      });
      const put = (name: 'content' | 'final', part: Rectangle): Promise<void> =>
        store({
          tensor: buffers.at(name),
          stride: SCALE * width,
          origin: [
            part.x + SCALE * (region.x - call.window.x),
            part.y + SCALE * (region.y - call.window.y),
          ],
          to: part,
        });
      const whole = { x: 0, y: 0, ...result };
      const job = {
        context: this.#context,
        networks,
        plan: frame,
        buffers,
        request: {
          colorFix: options.colorFix ?? 'wavelet',
          seed: options.seed,
          budgetMs: options.budgetMs,
          signal,
          onProgress: networkProgress(options.onProgress),
          onBlended:
            onTile &&
            (async ({ tiles }) => {
              for (const tile of tiles) {
                const part = partOf(settledBy(frame, tile), call);
                if (!part) continue;
                await put('content', part);
                onTile(part, output);
              }
            }),
        },
      } satisfies FrameJob;
      if (onTile) {
        await runOnce(job, enlargeGraph(frame.lr));
        await put('final', whole);
        onTile(whole, output);
      }
      await padFrame(job);
      await runFrame(job);
      signal.throwIfAborted();
      await finishFrame(job);
      await put('final', whole);
      if (made) allocator.giveTexture(made);
      return output;
    } catch (error) {
      if (made) allocator.destroyTexture(made);
      throw error;
    } finally {
      buffers.dispose();
    }
  }

  /** On the device. */
  get memory(): MemoryUse {
    const { memory, weights } = this.#context;
    const weightBytes = weights.totalBytes;
    return { weightBytes, otherBytes: memory.bytes - weightBytes, peakBytes: memory.peakBytes };
  }

  /**
   * Aborts what is under way and frees everything but results. The device stays; so does a model that was
   * opened by the caller.
   */
  dispose(): void {
    if (this.#disposed.signal.aborted) return;
    this.#disposed.abort(new DOMException('this InvSR was disposed of', 'AbortError'));
    const free = async (): Promise<void> => {
      for (const networks of this.#networks.values()) networks.dispose();
      this.#networks.clear();
      this.#context.dispose();
      if (this.#ownsModel) await this.model.close();
    };
    // A run under way still holds on to its buffers until it meets the abort.
    void (this.#queue.pending > 0 ? this.#queue(free) : free()).catch(() => {});
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  // --- details ----------------------------------------------------------------------------------

  /** The geometry of a call, checked. */
  #planOf(size: ImageSize, region: Rectangle, options: NetworkOptions) {
    const settings = this.#settingsOf(options);
    const isWhole = region.width === size.width && region.height === size.height;
    const window = isWhole ? region : windowOf(region, size, settings.tile);
    // A side of one pixel has nothing to reflect: it is loaded twice.
    const lr = { width: Math.max(2, window.width), height: Math.max(2, window.height) };
    expectFrameFits(this.#context.capabilities, lr);
    const frame = planFrame(lr, { ...settings, origin: { x: window.x, y: window.y } });
    return { frame, window, settings };
  }

  #settingsOf(options: NetworkOptions): Required<UpscalerOptions> {
    const { steps, startTimestep, tile, tileBatch, overlap, cfg } = options;
    const settings = withDefaults(
      {
        ...this.#options,
        timesteps: timestepsOf(steps, startTimestep),
        ...(tile !== undefined && { tile }),
        ...(tileBatch !== undefined && { tileBatch }),
        ...(overlap !== undefined && { overlap }),
        ...(cfg !== undefined && { cfg }),
      },
      this.#context,
    );
    checkGuidance(this.model, settings.cfg);
    return settings;
  }

  /** The networks for these options, kept for the next call; the least used ones go. */
  #use(settings: Required<UpscalerOptions>): TileNetworks {
    const { timesteps, tile, cfg } = settings;
    const key = JSON.stringify({ timesteps, tile, cfg });
    const networks =
      this.#networks.get(key) ?? new TileNetworks(this.#context, this.model, settings);
    this.#networks.delete(key);
    this.#networks.set(key, networks);
    for (const [other, old] of this.#networks) {
      if (this.#networks.size <= KEPT_NETWORKS) break;
      old.dispose();
      this.#networks.delete(other);
    }
    return networks;
  }

  #stops(signal: AbortSignal | undefined): AbortSignal {
    const own = [this.#disposed.signal, this.#context.lost];
    return AbortSignal.any(signal ? [...own, signal] : own);
  }

  /** After the calls before; an abort while waiting is told at once. */
  #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const leave = (): void => reject(signal.reason as Error);
      if (signal.aborted) return leave();
      signal.addEventListener('abort', leave, { once: true });
      this.#queue(async () => {
        signal.removeEventListener('abort', leave);
        signal.throwIfAborted();
        return work();
      }).then(resolve, reject);
    });
  }
}

/** Opened, or as it was given. */
async function modelOf(weights: LoadOptions['weights']): Promise<Model> {
  if (typeof weights === 'object' && 'configs' in weights) return weights;
  const isAddress = typeof weights === 'string' || weights instanceof URL;
  return openModel(isAddress ? urlFolder(addressOf(weights)) : weights);
}

/** Relative to the page where there is one. */
function addressOf(address: string | URL): URL {
  const base = (globalThis as { readonly location?: Location }).location?.href;
  try {
    return new URL(address, base);
  } catch {
    throw new TypeError(
      `weights is ${String(address)}, expected an address such as https://host/model/; for a folder on disk give nodeFolder(path)`,
    );
  }
}

/** The networks' progress, as callers hear it. */
const networkProgress = (onProgress: ((progress: Progress) => void) | undefined) =>
  onProgress &&
  (({ stage, done, total }: TileProgress): void => {
    if (stage === 'load') onProgress({ phase: 'download', loadedBytes: done, totalBytes: total });
    else onProgress({ phase: stage === 'tiles' ? 'run' : 'compile', done, total });
  });

/** What of a part of the window's result lies in the region's, in pixels of that. */
function partOf(
  part: Rectangle,
  { region, window }: Pick<Call<GpuImage>, 'region' | 'window'>,
): Rectangle | undefined {
  const clip = (from: number, length: number, before: number, limit: number) => {
    const start = Math.max(0, from - before);
    return { start, length: Math.min(limit, from + length - before) - start };
  };
  const left = SCALE * (region.x - window.x);
  const top = SCALE * (region.y - window.y);
  const columns = clip(part.x, part.width, left, SCALE * region.width);
  const rows = clip(part.y, part.height, top, SCALE * region.height);
  if (columns.length <= 0 || rows.length <= 0) return undefined;
  return { x: columns.start, y: rows.start, width: columns.length, height: rows.length };
}
