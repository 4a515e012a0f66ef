/**
 * What an application that embeds InvSR gives and gets: images on the GPU or in the page, options,
 * progress. The rules: the device is yours, on loan; a texture in gives a texture out, without a
 * readback; whoever creates an object destroys it.
 */
import type { ColorFix } from '../invsr/image-graphs.ts';
import type { Model } from '../invsr/model.ts';
import type { Designs } from '../engine/kernel.ts';
import type { Folder } from '../weights/folder.ts';

/** An image in a buffer of the device, rows from top to bottom. */
export interface ImageBuffer {
  /** Usage STORAGE. */
  readonly buffer: GPUBuffer;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Four bytes per pixel, R first, or four floats. Values in [0, 1]; alpha is ignored, and written as 1. */
  readonly format: 'rgba8unorm' | 'rgba32float';
  /** In bytes, a multiple of the device's minStorageBufferOffsetAlignment. @default 0 */
  readonly offset?: number;
  /** A multiple of the bytes of a pixel. @default those of one row of pixels */
  readonly bytesPerRow?: number;
}

/** Images on the device. A texture is 2d, one sample, its first mip level and layer. */
export type GpuImage = GPUTexture | ImageBuffer;

/** What can be upscaled; what is not on the GPU yet is uploaded once. */
export type ImageInput =
  | GpuImage
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame;

/**
 * How the values of an image on the device stand for light. `srgb` (also for Display-P3, which has the
 * same curve): as in PNG files and canvases. `linear`: as renderers compute; converted on load, and
 * back when stored. A texture whose format ends in `-srgb` converts by itself and is `srgb`.
 */
export type Transfer = 'srgb' | 'linear';

/** Part of an image, in its pixels. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type Progress =
  /** Bytes of weights, from the network or a disk to the device. */
  | { readonly phase: 'download'; readonly loadedBytes: number; readonly totalBytes: number }
  /** Pipelines; overlaps `download`. */
  | { readonly phase: 'compile'; readonly done: number; readonly total: number }
  /** Tiles, with the fraction of the one under way: grows evenly with time. */
  | { readonly phase: 'run'; readonly done: number; readonly total: number };

interface Watched {
  /** Ends the work within one submit, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface LoadOptions extends Watched {
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
   * @default a new rgba8unorm texture, yours to destroy
   */
  readonly output?: Output;
  /** Only this part of the input, computed with what surrounds it. @default all of it */
  readonly region?: Region;
  /** Same seed, same noise, same picture. @default 12345 */
  readonly seed?: number;
  /** The input's colours put back into the result. @default 'wavelet' */
  readonly colorFix?: ColorFix;
  /** Of an input that is on the device. @default 'srgb' */
  readonly inputTransfer?: Transfer;
  /** @default that of the input */
  readonly outputTransfer?: Transfer;
  /** GPU time per submit, so that the caller's own frames interleave. @default 8 (100 on a CPU adapter) */
  readonly budgetMs?: number;
  /**
   * A part of the output is there, in pixels of the output: before the colour fix, which changes it once more at the
   * end. Already submitted: a frame drawn now shows it.
   */
  readonly onTile?: ((region: Region, output: Output) => void) | undefined;
}

/** Bytes on the device. */
export interface MemoryUse {
  readonly weightBytes: number;
  /** All other buffers and textures of this instance. */
  readonly otherBytes: number;
  readonly peakBytes: number;
}
