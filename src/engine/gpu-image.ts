/**
 * Images on the device as callers hand them over: what they may be, and one sentence for each thing
 * that is wrong with one. Nothing here submits work.
 */

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

/**
 * Images on the device. A texture is 2d, one sample, its first mip level and layer. Values beyond [0, 1] are
 * clamped, and NaN is read as 0.
 */
export type GpuImage = GPUTexture | ImageBuffer;

/**
 * How the values of an image on the device stand for light. `srgb` (also for Display-P3, which has the
 * same curve): as in PNG files and canvases. `linear`: as renderers compute; converted on load, and
 * back when stored. A texture whose format ends in `-srgb` converts by itself and is `srgb`.
 */
export type Transfer = 'srgb' | 'linear';

/** Sides in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Part of an image, in its pixels. */
export interface Rectangle extends ImageSize {
  readonly x: number;
  readonly y: number;
}

/** Formats with red, green and blue that shaders read as floats, and the levels that they store: 0 for floats. */
const LEVELS: Readonly<Record<string, number>> = {
  rgba8unorm: 255,
  'rgba8unorm-srgb': 255,
  bgra8unorm: 255,
  'bgra8unorm-srgb': 255,
  rgb10a2unorm: 1023,
  rgba16float: 0,
  rgba32float: 0,
  rg11b10ufloat: 0,
  rgb9e5ufloat: 0,
};

/** Steps between 0 and 1 that a format stores; 0 where it stores floats. */
export const levelsOf = ({ format }: GpuImage): number => LEVELS[format] ?? 0;

export const isTexture = (image: GpuImage): image is GPUTexture => 'createView' in image;

/** The format converts from sRGB when it is read, and to it when it is written. */
export const convertsItself = ({ format }: GpuImage): boolean => format.endsWith('-srgb');

const BYTES_PER_PIXEL = { rgba8unorm: 4, rgba32float: 16 } as const;

/** Where the pixels of a buffer lie, every default filled in. */
export function layoutOf({ width, format, offset = 0, bytesPerRow }: ImageBuffer): {
  readonly offset: number;
  readonly bytesPerRow: number;
  readonly bytesPerPixel: number;
} {
  const bytesPerPixel = BYTES_PER_PIXEL[format];
  return { offset, bytesPerRow: bytesPerRow ?? width * bytesPerPixel, bytesPerPixel };
}

/** Bytes from the first pixel of a buffer to the end of its last. */
export function spanOf(image: ImageBuffer): number {
  const { bytesPerRow, bytesPerPixel } = layoutOf(image);
  return (image.height - 1) * bytesPerRow + image.width * bytesPerPixel;
}

/** Why an image cannot serve; begins with what it is called. */
type Refusal = (problem: string) => never;

const typeError =
  (what: string): Refusal =>
  (problem) => {
    throw new TypeError(`${what} ${problem}`);
  };

/** TypeError or RangeError unless the image can be read by a shader. `what` is its name in the message. */
export function expectReadable(device: GPUDevice, what: string, image: GpuImage): void {
  if (!isTexture(image)) return expectBuffer(device, what, image);
  expectTexture(what, image);
  const refuse = typeError(what);
  if ((image.usage & GPUTextureUsage.TEXTURE_BINDING) === 0) {
    refuse('has no usage TEXTURE_BINDING, which is needed to read it');
  }
}

/** The same for an image that is to be written. */
export function expectWritable(device: GPUDevice, what: string, image: GpuImage): void {
  if (!isTexture(image)) return expectBuffer(device, what, image);
  expectTexture(what, image);
  const refuse = typeError(what);
  const { STORAGE_BINDING, RENDER_ATTACHMENT } = GPUTextureUsage;
  if ((image.usage & (STORAGE_BINDING | RENDER_ATTACHMENT)) === 0) {
    refuse(
      'has neither usage RENDER_ATTACHMENT nor STORAGE_BINDING, one of which is needed to write it',
    );
  }
}

function expectTexture(what: string, texture: GPUTexture): void {
  const refuse = typeError(what);
  const { format, dimension, sampleCount } = texture;
  if (dimension !== '2d') refuse(`is a ${dimension} texture, expected a 2d one`);
  if (sampleCount !== 1)
    refuse(`has ${sampleCount} samples per pixel, expected 1: resolve it first`);
  if (!(format in LEVELS)) {
    refuse(`has format ${format}, expected one of ${Object.keys(LEVELS).join(', ')}`);
  }
}

function expectBuffer(device: GPUDevice, what: string, image: ImageBuffer): void {
  const { buffer, width, height, format } = image;
  const refuse = typeError(what);
  if (!(format in BYTES_PER_PIXEL)) {
    refuse(`has format ${format as string}, expected rgba8unorm or rgba32float`);
  }
  if ((buffer.usage & GPUBufferUsage.STORAGE) === 0) refuse('is a buffer without usage STORAGE');
  expectSides(what, image);
  const { offset, bytesPerRow, bytesPerPixel } = layoutOf(image);
  const alignment = device.limits.minStorageBufferOffsetAlignment;
  const expect = (holds: boolean, problem: string): void => {
    if (!holds) throw new RangeError(`${what} ${problem}`);
  };
  expect(
    Number.isInteger(offset / alignment) && offset >= 0,
    `has offset ${offset}, expected a multiple of ${alignment}`,
  );
  expect(
    Number.isInteger(bytesPerRow / bytesPerPixel) && bytesPerRow >= width * bytesPerPixel,
    `has bytesPerRow ${bytesPerRow}, expected a multiple of ${bytesPerPixel} from ${width * bytesPerPixel} on`,
  );
  const end = offset + spanOf(image);
  expect(
    end <= buffer.size,
    `is a buffer of ${buffer.size} bytes, expected at least ${end} for ${width}x${height} pixels of ${format}`,
  );
  const limit = device.limits.maxStorageBufferBindingSize;
  expect(
    spanOf(image) <= limit,
    `spans ${spanOf(image)} bytes, this device can bind ${limit} (maxStorageBufferBindingSize)`,
  );
}

/** RangeError unless both sides are whole and at least 1. */
export function expectSides(what: string, { width, height }: ImageSize): void {
  const isSide = (side: number): boolean => Number.isInteger(side) && side >= 1;
  if (isSide(width) && isSide(height)) return;
  throw new RangeError(`${what} is ${width}x${height}, expected whole sides of at least 1 pixel`);
}
