/**
 * InvSR: images on the device in, images four times as large out, without a readback.
 *
 * One instance is one model on one device, with weights and buffers of its own; instances do not know of
 * each other. Calls of one instance wait for each other.
 */
import type { EngineContext } from '../engine/context.ts';
import type { GpuImage, ImageSize } from '../engine/gpu-image.ts';
import { openContext } from '../graph/open-context.ts';
import { createQueue } from '../engine/queue.ts';
import { lossTold } from '../engine/nudge.ts';
import { type FramePlan, plansAround } from '../invsr/gpu-frame.ts';
import type { MemoryPlan } from '../invsr/memory-plan.ts';
import type { Model } from '../invsr/model.ts';
import { DISPOSE } from './dispose.ts';
import { inputSize, sourceOf } from './input.ts';
import { KeptNetworks } from './kept-networks.ts';
import { openModelOf } from './open-model.ts';
import { createOutput, expectOutput, expectTextureFits } from './output.ts';
import {
  expectCallOptions,
  imageBytes,
  planCall,
  resultSize,
  type Settings,
  settingsOf,
} from './plan-call.ts';
import { networkProgress } from './progress.ts';
import { loadGrowing, runCall } from './run-call.ts';
import type {
  ImageInput,
  LoadOptions,
  MemoryUse,
  NetworkOptions,
  PlanOptions,
  UpscaleOptions,
  Watched,
} from './types.ts';

export class InvSR implements Disposable {
  /** What all buffers are made with; `tune(sr.context, sr.model)` measures on it. */
  readonly context: EngineContext;
  readonly model: Model;
  readonly #options: LoadOptions;
  readonly #queue = createQueue();
  readonly #disposed = new AbortController();
  readonly #networks: KeptNetworks;

  private constructor(context: EngineContext, model: Model, options: LoadOptions) {
    this.context = context;
    this.model = model;
    this.#options = options;
    this.#networks = new KeptNetworks(context, model);
  }

  /**
   * Opens the model and reads its headers; weights are loaded by the first `prepare` or `upscale`. So
   * `plan` tells what a run will take before anything large is downloaded.
   *
   * ConfigError, CheckpointError: the model. TypeError: no address. DeviceLostError. The signal's reason.
   */
  static async open(options: LoadOptions): Promise<InvSR> {
    const { device, designs, signal } = options;
    signal?.throwIfAborted();
    const context = await openContext(device, designs && { designs });
    try {
      return new InvSR(context, await openModelOf(options), options);
    } catch (error) {
      context.dispose();
      throw error;
    }
  }

  /** `open`, and everything that a batch of tiles with these options needs: weights on the device, pipelines compiled. */
  static async load(options: LoadOptions): Promise<InvSR> {
    const opened = await InvSR.open(options);
    try {
      const { signal, onProgress } = options;
      await opened.prepare(undefined, { signal, onProgress });
      return opened;
    } catch (error) {
      opened.dispose();
      throw error;
    }
  }

  /**
   * What an input, or one of this size, will take of the device's memory, known before a byte is allocated:
   * networks and images, the result included. Images that are there already do not count: an `output`, and an
   * input that is an image on the device. TypeError, RangeError, ImageSizeError, DeviceError (more than its limits allow in one
   * piece): as `upscale`. How much memory a device has left it does not tell.
   */
  async plan(input: ImageInput | ImageSize, options: PlanOptions = {}): Promise<MemoryPlan> {
    expectCallOptions(options);
    const settings = this.#settings(options);
    const plan = planCall(this.context, inputSize(input), settings, options.region);
    const { frame, region } = plan;
    if (!options.output) expectTextureFits(this.context.device, 'the result', resultSize(region));
    const around = {
      plans: await plansAround(this.context, frame, settings.colorFix),
      otherBytes: imageBytes(input, plan, options),
    };
    const tiles = frame.grid.tiles.length;
    const { plans } = this.#networks.find(settings);
    return plans.memory(settings.tileBatch, tiles, around);
  }

  /**
   * Loads (weights and code), compiles and allocates what an input, or those of one size, need, ahead of the first
   * call, which is left with its images: room for them, and the two small passes that know their formats. Without
   * one, what any needs: a full batch of tiles. Errors as `upscale`.
   */
  async prepare(
    input?: ImageInput | ImageSize,
    options: NetworkOptions & Watched = {},
  ): Promise<void> {
    const settings = this.#settings(options);
    const size = input ? inputSize(input) : { width: 1, height: 1 };
    const { frame } = planCall(this.context, size, settings);
    const counts = input ? countsOf(frame) : [settings.tileBatch];
    const onProgress = networkProgress(options.onProgress);
    await this.#inTurn(options.signal, async (signal) => {
      const networks = this.#networks.use(settings);
      for (const count of counts) {
        await networks.prepare(count, { noise: 'generated', signal, onProgress });
      }
      await loadGrowing(signal);
      const small = await plansAround(this.context, frame, settings.colorFix);
      await this.context.pipelines.compile(
        small.flatMap(({ dispatches }) => dispatches),
        { signal },
      );
    });
  }

  /**
   * The input, or a region of it, four times as large: in `output`, or in a new texture.
   *
   * Resolves when the last work is queued: whatever the caller submits afterwards sees the result. (Await
   * `device.queue.onSubmittedWorkDone()` to know that it is done; Firefox tells within 100 ms, or when
   * something is submitted.) Calls wait for each other. After an abort or an error an `output` may be filled
   * in part.
   *
   * TypeError: the input or the output cannot be read or written as it is. RangeError: sizes, regions and
   * options that make no sense. ImageSizeError: too large for this device. DeviceError: no memory, a limit
   * is too low, an image is destroyed or of another device. CompileError, DeviceLostError. CheckpointError,
   * WeightError: the model. NonFiniteError: `check` found damaged weights. The signal's reason where it aborts,
   * when one submit at most is under way; AbortError after `dispose`.
   */
  async upscale<Output extends GpuImage = GPUTexture>(
    input: ImageInput,
    options: UpscaleOptions<Output> = {},
  ): Promise<Output> {
    const { inputTransfer = 'srgb', outputTransfer = inputTransfer, onTile } = options;
    expectCallOptions(options);
    const settings = this.#settings(options);
    const plan = planCall(this.context, inputSize(input), settings, options.region);
    const result = resultSize(plan.region);
    const { device, allocator } = this.context;
    if (options.output) expectOutput(device, options.output, result);
    else expectTextureFits(device, 'the result', result);
    const source = sourceOf(this.context, input, plan.window, options);
    let made: GPUTexture | undefined;
    try {
      return await this.#inTurn(options.signal, async (signal) => {
        if (!options.output) made = await createOutput(this.context, result, outputTransfer);
        // Where the caller gives none, Output is GPUTexture.
        const output = options.output ?? (made as unknown as Output);
        const call = {
          ...plan,
          options,
          colorFix: settings.colorFix,
          source,
          output,
          outputTransfer,
          onTile,
          signal,
        };
        await runCall(this.context, this.#networks.use(settings), call);
        if (made) allocator.giveTexture(made);
        made = undefined;
        return output;
      });
    } finally {
      if (made) allocator.destroyTexture(made);
      source.free();
    }
  }

  /** On the device, now and at the worst moment. */
  get memory(): MemoryUse {
    const { memory, weights } = this.context;
    const weightBytes = weights.totalBytes;
    return { weightBytes, otherBytes: memory.bytes - weightBytes, peakBytes: memory.peakBytes };
  }

  /**
   * Aborts what is under way and frees everything but results. The device stays; so does a model that the
   * caller opened.
   */
  dispose(): void {
    if (this.#disposed.signal.aborted) return;
    this.#disposed.abort(new DOMException('this InvSR was disposed of', 'AbortError'));
    const free = async (): Promise<void> => {
      this.#networks.dispose();
      this.context.dispose();
      if (this.model !== this.#options.weights) await this.model.close();
    };
    // A run under way holds on to its buffers until it meets the abort.
    void (this.#queue.pending > 0 ? this.#queue(free) : free()).catch(() => {});
  }

  [DISPOSE](): void {
    this.dispose();
  }

  // --- details ----------------------------------------------------------------------------------

  #settings(options: NetworkOptions & Pick<UpscaleOptions, 'colorFix'>): Settings {
    this.#disposed.signal.throwIfAborted();
    return settingsOf(this.context, this.model, this.#options, options);
  }

  /** After the calls before; an abort while waiting is told at once. */
  #inTurn<T>(
    given: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const own = [this.#disposed.signal, this.context.lost];
    const signal = AbortSignal.any(given ? [...own, given] : own);
    return new Promise((resolve, reject) => {
      const leave = (): void => reject(signal.reason as Error);
      if (signal.aborted) return leave();
      signal.addEventListener('abort', leave, { once: true });
      this.#queue(async () => {
        signal.removeEventListener('abort', leave);
        signal.throwIfAborted();
        try {
          return await work(signal);
        } catch (error) {
          if (!signal.aborted) await lossTold(this.context.device);
          this.context.lost.throwIfAborted(); // whatever a lost device makes fail first
          throw error;
        }
      }).then(resolve, reject);
    });
  }
}

/** Tiles of its batches: of all, and of a smaller last one. */
const countsOf = ({ batches }: FramePlan): ReadonlySet<number> =>
  new Set(batches.map(({ count }) => count));
