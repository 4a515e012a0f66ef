/**
 * One device with what the page has on it: the model, and the two pictures. Made anew when the device
 * was lost; then everything on it is gone.
 */
import { workDone } from '../../src/engine/nudge.ts';
import { createQueue } from '../../src/engine/queue.ts';
import {
  CheckpointError,
  type Folder,
  InvSR,
  type Model,
  type Progress,
  type Region,
} from '../../src/index.ts';
import { SURROUND } from '../../src/library/window.ts';
import { modelOptions, networkOptions, type Options, upscaleOptions } from '../state/options.ts';
import { fitOf, MARGIN, type Room, roomOf, runsOf } from '../state/cut.ts';
import { grow, nearestFirst, whole } from '../state/regions.ts';
import type { Part } from '../viewer/types.ts';
import { openDevice, type PageDevice } from './device.ts';
import { openWithPrompt } from './prompt.ts';
import { Surface } from './surface.ts';

export interface ModelRequest {
  /** Models of one id are the same. */
  readonly id: string;
  readonly open: (
    signal: AbortSignal,
    onProgress: (bytes: { readonly loadedBytes: number; readonly totalBytes: number }) => void,
  ) => Promise<Folder>;
}

/** What the networks need before a run. */
export interface PrepareRequest {
  readonly model: ModelRequest;
  readonly options: Options;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface RunRequest extends PrepareRequest {
  /** What there is of the result, with what is under way, lies in other textures. */
  readonly onParts: (parts: readonly Part[]) => void;
  /** There is more to be seen in those. */
  readonly onTile: () => void;
}

export class Session {
  readonly device: GPUDevice;
  readonly capabilities: PageDevice['capabilities'];
  /** For pictures. */
  readonly room: Room;
  surface: Surface | null = null;
  readonly #queue = createQueue();
  #loaded: { readonly key: string; readonly engine: InvSR; readonly model: Model } | null = null;

  private constructor({ device, capabilities }: PageDevice, room: Partial<Room>) {
    this.device = device;
    this.capabilities = capabilities;
    this.room = { ...roomOf(device.limits), ...room };
  }

  /** @param room less than the device has, for tests */
  static async open(room: Partial<Room> = {}): Promise<Session> {
    return new Session(await openDevice(), room);
  }

  /** Frees the photo and its result. */
  clear(): void {
    this.surface?.dispose();
    this.surface = null;
  }

  /** Uploads a photo; the one before is freed. */
  show(image: ImageBitmap): Surface {
    this.clear();
    this.surface = new Surface(this.device, image, this.room);
    return this.surface;
  }

  /** Weights on the device and kernels compiled, ahead of the first run. */
  async prepare(request: PrepareRequest): Promise<void> {
    await this.#use(request, async (engine) => {
      const { signal, onProgress, options } = request;
      if (!this.surface) return;
      const size = this.#typicalRun(this.surface, options, SURROUND);
      await engine.prepare(size, { ...networkOptions(options), signal, onProgress });
    });
  }

  /** One that has neighbours, if any has; with its margin and `more` around it. */
  #typicalRun({ size }: Surface, options: Options, more = 0): Region {
    const all = whole(size);
    const [run = all] = nearestFirst(runsOf(all, size, this.room, options), all);
    return grow(run, MARGIN + more, all);
  }

  /** A model that cannot be read, as where its files were replaced, is opened anew the next time. */
  async #use(request: PrepareRequest, work: (engine: InvSR) => Promise<void>): Promise<void> {
    // One after another: each finds what the one before has loaded.
    const engine = await this.#queue(() => this.#load(request));
    try {
      await work(engine);
    } catch (error) {
      const isUnreadable = error instanceof CheckpointError && this.#loaded?.engine === engine;
      if (isUnreadable) await this.#queue(() => this.#unload());
      throw error;
    }
  }

  /** The model with these options, opened once; another one takes its place. */
  async #load({ model: wanted, options, signal, onProgress }: PrepareRequest): Promise<InvSR> {
    const how = modelOptions(options);
    const key = `${wanted.id} ${JSON.stringify(how)}`;
    if (this.#loaded?.key === key) return this.#loaded.engine;
    await this.#unload();
    const folder = await wanted.open(signal, (bytes) =>
      onProgress({ phase: 'download', ...bytes }),
    );
    const model = await openWithPrompt(folder, this.device, signal);
    const engine = await InvSR.open({
      device: this.device,
      weights: model,
      signal,
      ...how,
    });
    this.#loaded = { key, engine, model };
    return engine;
  }

  async #unload(): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = null;
    loaded?.engine.dispose();
    await loaded?.model.close();
  }

  /** The whole photo in one run. The result before stays until this one is complete. */
  async sharpenAtOnce(request: RunRequest): Promise<void> {
    const { before, size, sheets } = this.#surface();
    await this.#use(request, async (engine) => {
      const output = await sheets.blank(size);
      request.onParts([{ texture: output, region: whole(size) }]);
      try {
        await engine.upscale(before, { ...callOptions(request), output });
        await workDone(this.device);
        request.signal.throwIfAborted();
      } catch (error) {
        request.onParts(sheets.parts);
        output.destroy();
        throw error;
      }
      sheets.replace(output);
      request.onParts(sheets.parts);
    });
  }

  /**
   * A part, blended into the result that is there.
   * @param within what of the photo may change: `part` fades over a margin in it
   */
  async sharpenPart(request: RunRequest, part: Region, within: Region): Promise<void> {
    request.signal.throwIfAborted();
    const { before, sheets } = this.#surface();
    const region = grow(part, MARGIN, within);
    await this.#use(request, async (engine) => {
      let output: GPUTexture | undefined;
      try {
        // Ahead of the work, which would be for nothing where memory runs out after it.
        await sheets.reserve(region, request.signal);
        output = await sheets.blank(region);
        request.onParts([...sheets.parts, { texture: output, region, shows: part }]);
        await engine.upscale(before, { ...callOptions(request), region, output });
        request.signal.throwIfAborted();
        sheets.paste(output, region, Math.min(MARGIN, region.width / 4, region.height / 4));
        await workDone(this.device);
        // Stopped for other options or another photo: there is nothing left that would be sharp.
        request.signal.throwIfAborted();
      } finally {
        sheets.trim();
        request.onParts(sheets.parts);
        output?.destroy();
      }
    });
  }

  /** Bytes that all of the photo takes; undefined before a model is open. RangeError, ImageSizeError: it cannot be. */
  async plannedBytes(options: Options): Promise<number | undefined> {
    const engine = this.#loaded?.engine;
    const { surface } = this;
    if (!surface || !engine) return undefined;
    const { colorFix } = options;
    const region = this.#typicalRun(surface, options);
    const plan = await engine.plan(surface.before, {
      ...networkOptions(options),
      colorFix,
      region,
    });
    // Made at once, the result is what the plan counts.
    const isAtOnce = fitOf(surface.size, this.room) === 'whole';
    return plan.peakBytes + surface.photoBytes + (isAtOnce ? 0 : surface.sheets.plannedBytes);
  }

  /** Bytes on the device: the model, its working memory, the pictures. */
  get memoryBytes(): number {
    const { weightBytes = 0, otherBytes = 0 } = this.#loaded?.engine.memory ?? {};
    return weightBytes + otherBytes + (this.surface?.bytes ?? 0);
  }

  dispose(): void {
    void this.#unload();
    this.clear();
    this.device.destroy();
  }

  #surface(): Surface {
    if (!this.surface) throw new Error('there is no photo');
    return this.surface;
  }
}

const callOptions = ({ options, signal, onProgress, onTile }: RunRequest) => ({
  ...upscaleOptions(options),
  signal,
  onProgress,
  onTile,
});
