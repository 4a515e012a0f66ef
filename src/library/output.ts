/** The image that a result goes to: the caller's, checked, or a new texture. */
import type { EngineContext } from '../engine/context.ts';
import {
  expectWritable,
  type GpuImage,
  type ImageSize,
  type Transfer,
} from '../engine/gpu-image.ts';
import { ImageSizeError } from '../invsr/errors.ts';

/** TypeError, RangeError: `output` cannot be written, or has another size. */
export function expectOutput(
  device: GPUDevice,
  output: GpuImage,
  { width, height }: ImageSize,
): void {
  expectWritable(device, 'the output', output);
  if (output.width === width && output.height === height) return;
  throw new RangeError(
    `the output is ${output.width}x${output.height}, expected ${width}x${height}: four times what is upscaled`,
  );
}

/** ImageSizeError unless the device has textures of this size. `what` is the image's name in the message. */
export function expectTextureFits(
  device: GPUDevice,
  what: string,
  { width, height }: ImageSize,
): void {
  const limit = device.limits.maxTextureDimension2D;
  if (width <= limit && height <= limit) return;
  throw new ImageSizeError(
    `${what} has ${width}x${height} pixels, this device's textures at most ${limit} a side (maxTextureDimension2D): upscale regions of the input, or use an ImageBuffer`,
  );
}

/** Of a new texture: bytes would show steps in dark linear values. */
export const outputFormat = (transfer: Transfer): 'rgba8unorm' | 'rgba16float' =>
  transfer === 'linear' ? 'rgba16float' : 'rgba8unorm';

/** A texture that can be drawn, drawn to and copied; views of rgba8unorm-srgb give renderers linear values. */
export async function createOutput(
  { allocator }: EngineContext,
  { width, height }: ImageSize,
  transfer: Transfer,
): Promise<GPUTexture> {
  const { TEXTURE_BINDING, RENDER_ATTACHMENT, COPY_SRC, COPY_DST } = GPUTextureUsage;
  const { texture, ready } = allocator.createTexture({
    label: 'output',
    width,
    height,
    usage: TEXTURE_BINDING | RENDER_ATTACHMENT | COPY_SRC | COPY_DST,
    format: outputFormat(transfer),
    viewFormats: transfer === 'linear' ? [] : ['rgba8unorm-srgb'],
  });
  try {
    await ready;
  } catch (error) {
    allocator.destroyTexture(texture);
    throw error;
  }
  return texture;
}
