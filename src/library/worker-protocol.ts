/**
 * What the page and its worker say to each other: plain messages, cloned or transferred.
 *
 *   page    open · plan · prepare · upscale   a call by its number; `abort` ends it
 *   worker  done | failed              one for each call, after any number of `progress` and `tile`
 *           warning                    a network goes on in f32 (option `check`)
 *           lost                       the device went away; calls fail from then on
 *
 * `open` comes first, once. What does not follow fails: InvalidStateError.
 */
import { CompileError, DeviceError, DeviceLostError } from '../engine/errors.ts';
import type { ImageSize } from '../engine/gpu-image.ts';
import { ShapeError } from '../engine/kernel.ts';
import type { PixelData } from '../engine/image-upload.ts';
import { WeightError } from '../graph/weights.ts';
import {
  ConfigError,
  ImageSizeError,
  MemoryError,
  NonFiniteError,
  TimestepError,
} from '../invsr/errors.ts';
import { CheckpointError } from '../weights/error.ts';
import type { BlobFolder } from '../weights/folder.ts';
import type { MemoryPlan } from '../invsr/memory-plan.ts';
import type { PrecisionWarning } from '../invsr/stage-precision.ts';
import type {
  LoadOptions,
  MemoryUse,
  NetworkOptions,
  Progress,
  Region,
  UpscaleOptions,
} from './types.ts';

/** What can be cloned of an image; others become one of these on the page. */
export type SentImage = ImageBitmap | PixelData | VideoFrame;

/** A folder's functions cannot be cloned; its files can. */
export type SentWeights = string | Pick<BlobFolder, 'name' | 'files'>;

export type OpenSettings = NetworkOptions &
  Pick<LoadOptions, 'precision' | 'designs' | 'lowMemory' | 'check'>;

export type PlanSettings = NetworkOptions & Pick<UpscaleOptions, 'region' | 'colorFix'>;

export type UpscaleSettings = NetworkOptions &
  Pick<UpscaleOptions, 'region' | 'seed' | 'colorFix' | 'colorSpace' | 'budgetMs'>;

/** A canvas can be transferred once: from then on it is known by its number. */
export interface SentCanvas {
  readonly number: number;
  readonly canvas?: OffscreenCanvas | undefined;
}

export type Call =
  | { readonly kind: 'open'; readonly weights: SentWeights; readonly settings: OpenSettings }
  | { readonly kind: 'plan'; readonly size: ImageSize; readonly settings: PlanSettings }
  | {
      readonly kind: 'prepare';
      readonly size?: ImageSize | undefined;
      readonly settings: NetworkOptions;
    }
  | {
      readonly kind: 'upscale';
      readonly input: SentImage;
      readonly canvas?: SentCanvas | undefined;
      /** Somebody hears of tiles: without, the output is written once. */
      readonly tiles: boolean;
      readonly settings: UpscaleSettings;
    };

export type FromPage =
  | (Call & { readonly call: number })
  | { readonly kind: 'abort'; readonly call: number };

export type FromWorker =
  | {
      readonly kind: 'done';
      readonly call: number;
      readonly memory: MemoryUse;
      /** Of `upscale` without a canvas. */
      readonly image?: ImageBitmap | undefined;
      /** Of `plan`. */
      readonly plan?: MemoryPlan | undefined;
    }
  | { readonly kind: 'failed'; readonly call: number; readonly error: SentError }
  | { readonly kind: 'progress'; readonly call: number; readonly progress: Progress }
  | { readonly kind: 'tile'; readonly call: number; readonly region: Region }
  | { readonly kind: 'warning'; readonly warning: PrecisionWarning }
  | { readonly kind: 'lost'; readonly error: SentError };

/** A Worker, what a worker sees of its page, and both ends of a MessageChannel. */
export interface Port<Out, In> {
  postMessage(message: Out, options?: { readonly transfer?: Transferable[] }): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<In>) => void): void;
}

// --- errors ---------------------------------------------------------------------------------------

/** Structured cloning keeps neither the classes of errors nor their fields. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Those that calls may reject with, by name. */
const ERRORS: ReadonlyMap<string, { readonly prototype: Error }> = new Map(
  Object.entries({
    CheckpointError,
    CompileError,
    ConfigError,
    DeviceError,
    DeviceLostError,
    ImageSizeError,
    MemoryError,
    NonFiniteError,
    RangeError,
    ShapeError,
    TimestepError,
    TypeError,
    WeightError,
  }),
);

export function sentError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), fields: {} };
  const { name, message, stack } = error;
  const fields = Object.entries(error).filter(([, value]) => typeof value !== 'function');
  return { name, message, stack, fields: Object.fromEntries(fields) };
}

/** The same error on this side: of the same class where it is one of ours. */
export function receivedError({ name, message, stack, fields }: SentError): Error {
  const error = new Error(message);
  const type = ERRORS.get(name);
  if (type) Object.setPrototypeOf(error, type.prototype);
  return Object.assign(error, fields, { name, ...(stack !== undefined && { stack }) });
}
