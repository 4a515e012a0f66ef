/**
 * One device with what the page has on it: the model, and the two pictures. Made anew when the device
 * was lost; then everything on it is gone.
 */
import { createQueue } from '../../src/engine/queue.ts';
import { type Folder, InvSR, type Model, type Progress, type Region } from '../../src/index.ts';
import { networkOptions, type Options } from '../state/options.ts';
import { openDevice, type PageDevice } from './device.ts';
import { openWithPrompt } from './prompt.ts';
import { SCALE, Surface } from './surface.ts';

export interface ModelRequest {
  /** Models of one id are the same. */
  readonly id: string;
  readonly open: (
    signal: AbortSignal,
    onProgress: (bytes: { readonly loadedBytes: number; readonly totalBytes: number }) => void,
  ) => Promise<Folder>;
}

export interface RunRequest {
  readonly model: ModelRequest;
  readonly options: Options;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  /** Something new can be seen. */
  readonly onTile: (region: Region) => void;
}

/** Pixels of the result over which a part fades into what surrounds it. */
const FEATHER = 16;

export class Session {
  readonly device: GPUDevice;
  readonly capabilities: PageDevice['capabilities'];
  surface: Surface | null = null;
  readonly #queue = createQueue();
  #loaded: { readonly key: string; readonly engine: InvSR; readonly model: Model } | null = null;

  private constructor({ device, capabilities }: PageDevice) {
    this.device = device;
    this.capabilities = capabilities;
  }

  static async open(): Promise<Session> {
    return new Session(await openDevice());
  }

  /** Frees the photo and its result. */
  clear(): void {
    this.surface?.dispose();
    this.surface = null;
  }

  /** Uploads a photo; the one before is freed. */
  show(image: ImageBitmap): Surface {
    this.clear();
    this.surface = new Surface(this.device, image);
    return this.surface;
  }

  /** Weights on the device and kernels compiled, ahead of the first run. */
  async prepare(request: RunRequest): Promise<void> {
    const engine = await this.#engine(request);
    const { signal, onProgress, options } = request;
    if (this.surface) {
      await engine.prepare(this.surface.size, { ...networkOptions(options), signal, onProgress });
    }
  }

  /** One after another: each finds what the one before has loaded. */
  #engine(request: RunRequest): Promise<InvSR> {
    return this.#queue(() => this.#load(request));
  }

  /** The model with these options, opened once; another one takes its place. */
  async #load({ model: wanted, options, signal, onProgress }: RunRequest): Promise<InvSR> {
    const { precision, lowMemory } = options;
    const key = `${wanted.id} ${precision} ${lowMemory}`;
    if (this.#loaded?.key === key) return this.#loaded.engine;
    await this.#unload();
    const folder = await wanted.open(signal, (bytes) =>
      onProgress({ phase: 'download', ...bytes }),
    );
    const model = await openWithPrompt(folder, this.device, signal);
    const engine = await InvSR.open({
      device: this.device,
      weights: model,
      lowMemory,
      signal,
      ...(precision === 'f32' && { precision }),
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

  /** The whole photo. The result before stays until this one is complete; `onTexture` is told where it grows. */
  async sharpenWhole(
    request: RunRequest,
    onTexture: (after: GPUTexture | undefined) => void,
  ): Promise<void> {
    const surface = this.#surface();
    const engine = await this.#engine(request);
    const after = surface.blank();
    onTexture(after);
    try {
      await engine.upscale(surface.before, { ...upscaleOptions(request), output: after });
      await this.device.queue.onSubmittedWorkDone();
      request.signal.throwIfAborted();
    } catch (error) {
      onTexture(surface.after);
      after.destroy();
      throw error;
    }
    surface.replace(after);
  }

  /** A part, blended into the result that is there. */
  async sharpenPart(request: RunRequest, region: Region): Promise<void> {
    const surface = this.#surface();
    const engine = await this.#engine(request);
    const part = await engine.upscale(surface.before, { ...upscaleOptions(request), region });
    try {
      request.signal.throwIfAborted();
      surface.paste(part, region, FEATHER);
      await this.device.queue.onSubmittedWorkDone();
      // Stopped for another photo: there is nothing left that would be sharp.
      if (this.surface !== surface) request.signal.throwIfAborted();
    } finally {
      part.destroy();
    }
  }

  /** Bytes that a run of the whole photo takes; undefined before a model is open. RangeError, ImageSizeError: it cannot be. */
  async plannedBytes(options: Options): Promise<number | undefined> {
    const engine = this.#loaded?.engine;
    if (!this.surface || !engine) return undefined;
    const { colorFix } = options;
    const plan = await engine.plan(this.surface.size, { ...networkOptions(options), colorFix });
    return plan.peakBytes;
  }

  /** Bytes on the device: the model, its working memory, the pictures. */
  get memoryBytes(): number {
    const { weightBytes = 0, otherBytes = 0 } = this.#loaded?.engine.memory ?? {};
    const pixels = this.surface ? this.surface.size.width * this.surface.size.height : 0;
    const results = this.surface?.after ? SCALE * SCALE : 0;
    return weightBytes + otherBytes + 4 * pixels * (1 + results);
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

const upscaleOptions = ({ options, signal, onProgress, onTile }: RunRequest) => ({
  ...networkOptions(options),
  seed: options.seed,
  colorFix: options.colorFix,
  signal,
  onProgress,
  onTile,
});
