/**
 * Upscaler: pixels on the host through the GPU frame (gpu-frame.ts).
 *
 *   pixels ─loadImage→ lr ─frame→ final ─imageStore→ pixels
 *
 * Also hands the networks alone to the host frame (`patches`).
 */
import type { EngineContext } from '../engine/context.ts';
import { imageStore, loadImage } from '../engine/image-pass.ts';
import { createQueue } from '../engine/queue.ts';
import { readBuffer } from '../engine/readback.ts';
import { Buffers } from './buffers.ts';
import { checkGuidance } from './check-model.ts';
import {
  expectFrameFits,
  finishFrame,
  type FrameJob,
  type FrameRequest,
  lrBytes,
  padFrame,
  planFrame,
  lrSize,
  runFrame,
} from './gpu-frame.ts';
import type { Model } from './model.ts';
import { planOfficialFrame } from './official-frame.ts';
import { checkDraws, dumpNamed, writeDraws } from './parity.ts';
import { patchSource } from './patch-source.ts';
import { checkPixels, type Pixels } from './pixels.ts';
import { SCALE } from './tile-graph.ts';
import { type TileProgress, TileNetworks } from './tile-networks.ts';
import type { PatchSource } from './tile-source.ts';
import {
  type UpscaleRequest,
  type UpscaleResult,
  type UpscalerOptions,
  withDefaults,
} from './upscaler-options.ts';

export type {
  UpscaleProgress,
  UpscaleRequest,
  UpscaleResult,
  UpscalerOptions,
} from './upscaler-options.ts';

/** One model on one device with fixed options; the networks are compiled once per tile batch. */
export class Upscaler {
  /** With every default filled in. */
  readonly options: Required<UpscalerOptions>;
  readonly #context: EngineContext;
  readonly #networks: TileNetworks;
  readonly #queue = createQueue();

  /** ConfigError where `cfg` needs a negative prompt and the model has none. */
  constructor(context: EngineContext, model: Model, options: UpscalerOptions = {}) {
    this.#context = context;
    this.options = withDefaults(options, context);
    checkGuidance(model, this.options.cfg);
    this.#networks = new TileNetworks(context, model, this.options);
  }

  /** Bytes of GPU buffers at the worst moment so far. */
  get peakGpuBytes(): number {
    return this.#context.memory.peakBytes;
  }

  /**
   * rgba8 [H, W] → rgba8 [4H, 4W]; the input's alpha is not looked at. Calls wait for each other:
   * they share plans.
   *
   * RangeError: not an rgba8 image. ImageSizeError: too large for this device. DeviceError: no memory, or a limit is too low.
   * WeightError, CheckpointError, TimestepError: the model or the timesteps do not fit. ParityError:
   * `noise` does not fit. CompileError, DeviceLostError. The signal's reason where it aborts.
   */
  async upscale(input: Pixels, request: UpscaleRequest = {}): Promise<UpscaleResult> {
    return this.#queue(() => this.#upscale(input, request));
  }

  async #upscale(input: Pixels, request: UpscaleRequest): Promise<UpscaleResult> {
    const { tile, tileBatch, colorFix, official } = this.options;
    const context = this.#context;
    checkPixels(input);
    const lr = lrSize(input);
    expectFrameFits(context.capabilities, lr);
    const plan = (official ? planOfficialFrame : planFrame)(lr, this.options);
    const { signal, noise, dump, onProgress, seed } = request;
    const { latentChannels } = this.#networks;
    if (noise) {
      const count = plan.grid.tiles.length;
      checkDraws(noise, { count, tileBatch, tile, latentChannels });
    }

    const milliseconds: Record<string, number> = {};
    const timed = async <T>(stage: string, work: () => Promise<T>): Promise<T> => {
      const start = performance.now();
      const result = await work();
      milliseconds[stage] = Math.round(performance.now() - start);
      return result;
    };
    const buffers = new Buffers(context);
    const frameRequest: FrameRequest = {
      colorFix,
      seed,
      signal,
      writeDraws:
        noise &&
        ((own, { call, count }) => writeDraws(own, noise, { call, count, tile, latentChannels })),
      dump: dump && ((runner, own, prefix) => dumpNamed(context.device, runner, own, prefix, dump)),
      onProgress: tileProgress(request),
    };
    const job = { context, networks: this.#networks, plan, buffers, request: frameRequest };
    try {
      await timed('prepare', async () => {
        const kind = noise ? 'given' : 'generated';
        const batch = plan.batches[0]?.count ?? 1;
        await this.#networks.prepare(batch, { ...frameRequest, noise: kind });
      });
      await timed('load', async () => {
        await this.#load(input, job);
        await padFrame(job);
      });
      await timed('tiles', () => runFrame(job));
      signal?.throwIfAborted();
      onProgress?.({ stage: 'finish', done: 0, total: 1 });
      const result = await timed('finish', () => this.#finish(input, job));
      onProgress?.({ stage: 'finish', done: 1, total: 1 });
      return { ...result, milliseconds };
    } finally {
      buffers.dispose();
    }
  }

  /** Pixels → `lr`. */
  async #load({ pixels, width, height }: Pixels, { plan, buffers }: FrameJob): Promise<void> {
    await buffers.write('pixels', pixels);
    await loadImage(this.#context.device, {
      image: { buffer: buffers.at('pixels'), width, height, format: 'rgba8unorm' },
      from: { x: 0, y: 0, width, height },
      transfer: 'srgb',
      tensor: await buffers.create('lr', lrBytes(plan.lr)),
      ...plan.lr,
    });
  }

  /** Colour fix and 8-bit pixels. */
  async #finish(input: Pixels, job: FrameJob): Promise<Pixels> {
    await finishFrame(job);
    const { device } = this.#context;
    const { buffers, plan } = job;
    const size = { width: input.width * SCALE, height: input.height * SCALE };
    const bytes = 4 * size.width * size.height;
    const buffer = await buffers.create('result', bytes);
    const store = await imageStore(device, { buffer, ...size, format: 'rgba8unorm' }, 'srgb');
    await store({
      tensor: buffers.at('final'),
      stride: plan.lr.width * SCALE,
      origin: [0, 0],
      to: { x: 0, y: 0, ...size },
    });
    return { ...size, pixels: new Uint8Array(await readBuffer(device, buffer, bytes)) };
  }

  /**
   * The networks alone, for a frame on the host (host-frame.ts). It too waits for calls before it,
   * and holds up later ones until its last patch or its early end.
   */
  patches({ seed }: Pick<UpscaleRequest, 'seed'> = {}): PatchSource {
    const source = patchSource(this.#context, this.#networks, { tile: this.options.tile, seed });
    const queue = this.#queue;
    return async function* (batches, options) {
      let end = (): void => {};
      await new Promise<void>((begin) => {
        void queue(async () => {
          begin();
          await new Promise<void>((resolve) => (end = resolve));
        });
      });
      try {
        yield* source(batches, options);
      } finally {
        end();
      }
    };
  }

  /** Frees the networks' plans; weights stay with the context. */
  dispose(): void {
    this.#networks.dispose();
  }
}

/** The networks' progress, as callers hear it. */
const tileProgress = ({ onProgress }: UpscaleRequest) =>
  onProgress &&
  ((p: TileProgress): void => {
    if (p.stage !== 'tiles') return onProgress({ ...p, stage: p.stage });
    const tile = Math.min(p.total, Math.floor(p.done) + 1);
    onProgress({ ...p, stage: p.stage, tile, tiles: p.total });
  });
