/**
 * Upscaler: a whole image through the networks, tile by tile.
 *
 *   pixels ─loadGraph→ image ─cropGraph→ tiles ─networks→ patch ─blendGraph→ content ─finishGraph→ pixels
 *
 * Everything between the first and the last `pixels` stays on the GPU. The networks' plans depend on
 * the tile batch only and are kept; the small plans around them follow the image's size.
 */
import type { EngineContext } from '../engine/context.ts';
import { createQueue } from '../engine/queue.ts';
import { readBuffer } from '../engine/readback.ts';
import { Buffers } from './buffers.ts';
import { checkGuidance } from './check-model.ts';
import { blendGraph, cropGraph, finishGraph, loadGraph } from './image-graphs.ts';
import type { MemoryPlan } from './memory-plan.ts';
import type { Model } from './model.ts';
import { type PaddingPlan, planPadding } from './padding.ts';
import { dumpNamed } from './parity.ts';
import { patchSource } from './patch-source.ts';
import { checkPixels, cropTopLeft, type Pixels, reflectable } from './pixels.ts';
import { createRunner, type Runner } from './runner.ts';
import { SCALE } from './tile-graph.ts';
import { checkDraws, DEFAULT_SEED, writeDraws, writePlaces, writeSeed } from './tile-inputs.ts';
import { type TileJob, TileNetworks, type TileRequest } from './tile-networks.ts';
import type { PatchSource } from './tile-source.ts';
import { type Tile, type TileGrid, evenGrid, tileGrid } from './tiles.ts';
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

/** The image is too large for this device. */
export class ImageSizeError extends Error {
  override readonly name = 'ImageSizeError';
}

/** What one call of `upscale` carries from stage to stage. */
interface Job {
  readonly image: Pixels;
  readonly padding: PaddingPlan;
  readonly grid: TileGrid;
  readonly buffers: Buffers;
  readonly request: UpscaleRequest;
}

/** One model on one device with fixed options; the networks are compiled once per tile batch. */
export class Upscaler {
  /** With every default filled in. */
  readonly options: Required<UpscalerOptions>;
  readonly #context: EngineContext;
  readonly #model: Model;
  readonly #networks: TileNetworks;
  readonly #queue = createQueue();

  /** ConfigError where `cfg` needs a negative prompt and the model has none. */
  constructor(context: EngineContext, model: Model, options: UpscalerOptions = {}) {
    this.#context = context;
    this.#model = model;
    this.options = withDefaults(options, context);
    checkGuidance(model, this.options.cfg);
    this.#networks = new TileNetworks(context, model, this.options);
  }

  /** What the networks take on the device, known before they are there. */
  get memory(): MemoryPlan {
    return this.#networks.memory(this.options.tileBatch);
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
    const { tile, overlap, tileBatch, official } = this.options;
    checkPixels(input);
    const image = reflectable(input);
    this.#checkSize(image);
    const padding = planPadding(image.height, image.width, tile, { even: !official });
    // Even starts, because a latent covers two LR pixels.
    const stride = Math.max(2, 2 * Math.round(((1 - overlap) * tile) / 2));
    const grid = official
      ? tileGrid(padding, { tile, stride, scale: SCALE })
      : evenGrid(padding, { tile, overlap, scale: SCALE });
    if (request.noise) {
      const { latentChannels } = this.#model.configs.vae;
      const count = grid.tiles.length;
      checkDraws(request.noise, { count, tileBatch, tile, latentChannels });
    }

    const milliseconds: Record<string, number> = {};
    const timed = async <T>(stage: string, work: Promise<T>): Promise<T> => {
      const start = performance.now();
      const result = await work;
      milliseconds[stage] = Math.round(performance.now() - start);
      return result;
    };
    const buffers = new Buffers(this.#context);
    const job: Job = { image, padding, grid, buffers, request };
    try {
      const first = Math.min(tileBatch, grid.tiles.length);
      await timed('prepare', this.#networks.prepare(first, tileRequest(request)));
      await timed('load', this.#loadImage(job));
      await timed('tiles', this.#runTiles(job));
      const result = await timed('finish', this.#finish(job));
      const size = { width: input.width * SCALE, height: input.height * SCALE };
      return { ...cropTopLeft(result, size), milliseconds };
    } finally {
      buffers.dispose();
    }
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

  // --- stages -----------------------------------------------------------------------------------

  /** Pixels → `lr`, and `image` where padding is needed. */
  async #loadImage({ image, padding, buffers, request }: Job): Promise<void> {
    await buffers.write('pixels', image.pixels);
    const load = await createRunner(this.#context, loadGraph(image, padding), {
      signal: request.signal,
    });
    try {
      await load.run(buffers, { signal: request.signal });
    } finally {
      load.dispose();
    }
  }

  async #runTiles({ image, grid, padding, buffers, request }: Job): Promise<void> {
    const { tileBatch, tile, official } = this.options;
    const { latentChannels } = this.#model.configs.vae;
    const { signal, noise, seed = DEFAULT_SEED } = request;
    const small = new Map<string, Runner>();
    const around = async (kind: 'crop' | 'blend', batch: number): Promise<Runner> => {
      const known = small.get(`${kind} ${batch}`);
      if (known) return known;
      const graph =
        kind === 'crop' ? cropGraph(padding, batch, tile) : blendGraph(image, batch, tile);
      const runner = await createRunner(this.#context, graph, { signal });
      small.set(`${kind} ${batch}`, runner);
      return runner;
    };
    const jobs = batchesOf(grid.tiles, tileBatch);
    const begin = async (own: Buffers, { call, count: batch, tiles }: TileBatch): Promise<void> => {
      await writePlaces(own, tiles, { tile, grid, padding });
      if (noise) {
        await writeDraws(own, noise, { call, batch, tile, latentChannels });
      } else {
        const strideOfOwn = official ? tile : undefined;
        await writeSeed(own, tiles, { seed, padding, strideOfOwn, first: call * tileBatch });
      }
      await (await around('crop', batch)).run(own, { signal });
    };
    try {
      await buffers.create('content', contentBytes(image));
      const count = grid.tiles.length;
      const run = { ...tileRequest(request), count, shared: buffers };
      for await (const { job, buffers: own } of this.#networks.run(jobs, begin, run)) {
        await (await around('blend', job.count)).run(own, { signal });
      }
    } finally {
      for (const runner of small.values()) runner.dispose();
    }
  }

  /** Colour fix and 8-bit pixels. */
  async #finish({ image, padding, buffers, request }: Job): Promise<Pixels> {
    const { colorFix, official } = this.options;
    const { signal, dump, onProgress } = request;
    onProgress?.({ stage: 'finish', done: 0, total: 1 });
    const graph = finishGraph(image, { padding, colorFix, officialStyle: official });
    const finish = await createRunner(this.#context, graph, {
      signal,
      keep: () => dump !== undefined,
    });
    try {
      await finish.run(buffers, { signal });
      if (dump) await dumpNamed(finish, buffers, '', dump);
    } finally {
      finish.dispose();
    }
    const [width, height] = [image.width * SCALE, image.height * SCALE];
    const bytes = await readBuffer(this.#context.device, buffers.at('result'), 4 * width * height);
    onProgress?.({ stage: 'finish', done: 1, total: 1 });
    return { width, height, pixels: new Uint8Array(bytes) };
  }

  // --- details ----------------------------------------------------------------------------------

  /** The result must fit one storage buffer. */
  #checkSize({ width, height }: Pixels): void {
    const limit = this.#context.capabilities.limits.maxStorageBufferBindingSize;
    if (contentBytes({ width, height }) <= limit) return;
    const pixels = Math.floor(limit / contentBytes({ width: 1, height: 1 }));
    throw new ImageSizeError(
      `the image has ${width}x${height} pixels; this adapter's buffers of ${limit} bytes allow ${pixels} (such as ${Math.floor(Math.sqrt(pixels))} squared): cut the image into parts, make it smaller, or use another --adapter`,
    );
  }
}

interface TileBatch extends TileJob {
  /** Counts batches from 0. */
  readonly call: number;
  readonly tiles: readonly Tile[];
}

/** Tiles in groups of `size`, the last one smaller. */
function batchesOf(tiles: readonly Tile[], size: number): TileBatch[] {
  const batches: TileBatch[] = [];
  for (let first = 0; first < tiles.length; first += size) {
    const group = tiles.slice(first, first + size);
    batches.push({ call: batches.length, count: group.length, tiles: group });
  }
  return batches;
}

/** Bytes of the blended image [1, 4H, 4W, 4] f32. */
const contentBytes = ({ width, height }: Pick<Pixels, 'width' | 'height'>): number =>
  width * height * SCALE * SCALE * 4 * Float32Array.BYTES_PER_ELEMENT;

/** The networks' part of a request. */
const tileRequest = ({
  noise,
  signal,
  dump,
  onProgress,
}: UpscaleRequest): Omit<TileRequest, 'count'> => ({
  noise: noise ? 'given' : 'generated',
  signal,
  dump,
  onProgress:
    onProgress &&
    ((p) => {
      if (p.stage !== 'tiles') return onProgress(p);
      const tile = Math.min(p.total, Math.floor(p.done) + 1);
      onProgress({ ...p, tile, tiles: p.total });
    }),
});
