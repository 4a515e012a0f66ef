/** GPU → CPU: the only copy of an image that leaves the device. Upscaling calls for none, so read-pixels.ts, which makes it, comes with the first. */
import type { GpuImage, Transfer } from '../engine/gpu-image.ts';
import type { PixelData } from './types.ts';

export interface ReadImageOptions {
  /** Of the image; bytes are always sRGB. @default 'srgb' */
  readonly transfer?: Transfer;
  /** Which the bytes are labelled with; nothing is converted. @default 'srgb' */
  readonly colorSpace?: PredefinedColorSpace;
}

/** Bytes with all that browsers' ImageData has; made by hand, as Node has no such class. */
export interface ReadPixels extends PixelData {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  readonly colorSpace: PredefinedColorSpace;
}

/**
 * The pixels of an image as rgba8, opaque, when all work submitted so far is done. A texture needs usage
 * TEXTURE_BINDING, a buffer STORAGE. TypeError, RangeError: the image cannot be read as it is. DeviceError: it is
 * destroyed or of another device. CompileError, DeviceLostError.
 */
export async function readImage(
  device: GPUDevice,
  image: GpuImage,
  options: ReadImageOptions = {},
): Promise<ReadPixels> {
  const { readPixels } = await import('./read-pixels.ts');
  return readPixels(device, image, options);
}
