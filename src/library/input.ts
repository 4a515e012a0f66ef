/** What is given to be upscaled. */
import { expectSides, type GpuImage, type ImageSize } from '../engine/gpu-image.ts';
import { pageImageSize } from '../engine/image-upload.ts';
import type { ImageInput } from './types.ts';

/** On the device already. */
export const isGpuImage = (input: ImageInput): input is GpuImage =>
  'createView' in input || 'buffer' in input;

/** Width and height in pixels. TypeError: no image. RangeError: no pixels, as of a picture that is not loaded. */
export function inputSize(input: ImageInput): ImageSize {
  const { width, height } = sizeOf(input);
  expectSides('the input', { width, height });
  return { width, height };
}

function sizeOf(input: ImageInput): ImageSize {
  // Types alone do not stop JavaScript.
  if (
    typeof input !== 'object' ||
    input === null ||
    !('width' in input || 'displayWidth' in input)
  ) {
    throw new TypeError(
      `the input is ${input === null ? 'null' : typeof input}, expected a texture, an ImageBuffer, ImageData or another image of the page`,
    );
  }
  return isGpuImage(input) ? input : pageImageSize(input);
}
