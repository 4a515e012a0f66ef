/**
 * What an application that embeds InvSR gives and gets: images on the GPU or in the page, options,
 * progress. The rules: the device is yours, on loan; a texture in gives a texture out, without a
 * readback; whoever creates an object destroys it.
 */
import type { Designs } from '../engine/kernel.ts';
import type { GpuImage, Rectangle, Transfer } from '../engine/gpu-image.ts';
import type { PageImage } from '../engine/image-upload.ts';
import type { ColorFix } from '../invsr/image-graphs.ts';
import type { Model } from '../invsr/model.ts';
import type { PrecisionWarning } from '../invsr/stage-precision.ts';
import type { Folder } from '../weights/folder.ts';

export type { GpuImage, ImageBuffer, Transfer } from '../engine/gpu-image.ts';
export type { PixelData } from '../engine/image-upload.ts';

/**
 * What can be upscaled. What is in the page is copied to the device by the call itself: it may change or
 * be closed at once. What is on the device must stay as it is until the call's promise resolves.
 */
export type ImageInput = GpuImage | PageImage;

/** Part of an image, in its pixels. */
export type Region = Rectangle;

export type Progress =
  /** Bytes of weights, from the network or a disk to the device. */
  | { readonly phase: 'download'; readonly loadedBytes: number; readonly totalBytes: number }
  /** Pipelines; overlaps `download`. */
  | { readonly phase: 'compile'; readonly done: number; readonly total: number }
  /** Tiles, with the fraction of the one under way: grows evenly with time. */
  | { readonly phase: 'run'; readonly done: number; readonly total: number };

export interface Watched {
  /** Ends the work with the signal's reason: nothing is submitted afterwards, and one submit may be under way. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Options of networks are those of every call that does not say otherwise. */
export interface LoadOptions extends NetworkOptions, Watched {
  /** Borrowed: never destroyed, reconfigured or given an error handler. Make it with {@link requiredDevice}. */
  readonly device: GPUDevice;
  /** A model folder's address, a folder opened otherwise (dropped files, OPFS), or an opened model, which stays yours to close. */
  readonly weights: string | URL | Folder | Model;
  /** Storage of activations. @default f16 where the device has shader-f16, else f32 */
  readonly precision?: 'f16' | 'f32';
  /** What tuning found on this adapter. */
  readonly designs?: Designs;
  /** One network on the device at a time: less memory, weights read again for every 32 tiles. @default false */
  readonly lowMemory?: boolean;
  /**
   * Looks for NaN and Infinity after every layer, and reads four words back after every network: one that
   * leaves the range of f16 is computed again in f32, which takes more memory than `plan` told, and goes on
   * so. Where f32 does not help, calls reject with NonFiniteError. @default false
   */
  readonly check?: boolean;
  /** With `check`: hears of networks that go on in f32. @default nobody */
  readonly onWarning?: ((warning: PrecisionWarning) => void) | undefined;
}

/** What decides which networks are needed, and how much memory. */
export interface NetworkOptions {
  /** Denoising steps. @default 1 */
  readonly steps?: 1 | 2 | 3 | 4 | 5;
  /**
   * Timestep of the first step, 100 (true to the input) to 250 (more invented detail); the steps after it
   * keep their proportions. @default 200, and 250 with five steps
   */
  readonly startTimestep?: number;
  /** Tile side in input pixels, a multiple of 8 from 16 on. @default 128 */
  readonly tile?: number;
  /** Tiles computed at once. @default 1 */
  readonly tileBatch?: number;
  /** Share of a tile that its neighbour repeats, 0 to 0.5. @default 0.125 */
  readonly overlap?: number;
  /** Classifier-free guidance; 1 is off. @default 1 */
  readonly cfg?: number;
}

export interface UpscaleOptions<Output extends GpuImage = GPUTexture>
  extends NetworkOptions, Watched {
  /**
   * An image of four times the size of the input, or of `region`, to be filled. A texture needs usage
   * STORAGE_BINDING and a format that can be stored, or RENDER_ATTACHMENT; a buffer STORAGE.
   * @default a new texture, yours to destroy: rgba8unorm, rgba16float where `outputTransfer` is linear; usage
   * TEXTURE_BINDING, RENDER_ATTACHMENT, COPY_SRC, COPY_DST; the first has views of rgba8unorm-srgb too
   */
  readonly output?: Output;
  /** Only this part of the input, computed with what surrounds it. @default all of it */
  readonly region?: Region;
  /** Same seed, same noise, same picture. @default 12345 */
  readonly seed?: number;
  /** The input's colours put back into the result. @default 'wavelet' */
  readonly colorFix?: ColorFix;
  /**
   * What a picture of the page is converted to on its way to the device, and what the result is in. Bytes
   * (ImageData) and images on the device are taken as they are.
   * @default what ImageData, VideoFrames and canvases say they are in, else 'srgb'
   */
  readonly colorSpace?: PredefinedColorSpace;
  /** Of an input that is on the device. @default 'srgb' */
  readonly inputTransfer?: Transfer;
  /** @default that of the input */
  readonly outputTransfer?: Transfer;
  /**
   * GPU time per submit, of which one is under way at a time: how long the caller's own frames wait, and an
   * abort. Less costs time between submits. @default 8 (100 on a CPU adapter)
   */
  readonly budgetMs?: number;
  /**
   * A part of the output is there, in pixels of the output; already submitted: a frame drawn now shows it.
   * First all of it, as the input's bicubic enlargement, then tile by tile, before the colour fix, which
   * changes it once more at the end. Without this the output is written once.
   */
  readonly onTile?: ((region: Region, output: Output) => void) | undefined;
}

/** What decides how much memory a call takes. */
export type PlanOptions = NetworkOptions &
  Pick<
    UpscaleOptions<GpuImage>,
    'colorFix' | 'region' | 'output' | 'inputTransfer' | 'outputTransfer'
  >;

/** Bytes on the device. */
export interface MemoryUse {
  readonly weightBytes: number;
  /** All other buffers and textures of this instance. */
  readonly otherBytes: number;
  readonly peakBytes: number;
}
