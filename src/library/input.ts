/** What is given to be upscaled. */
import type { EngineContext } from '../engine/context.ts';
import {
  expectReadable,
  expectSides,
  type GpuImage,
  type ImageSize,
  type Rectangle,
  type Transfer,
} from '../engine/gpu-image.ts';
import {
  colorSpaceOf,
  type PageImage,
  pageImageSize,
  uploadImage,
} from '../engine/image-upload.ts';
import { expectTextureFits } from './output.ts';
import type { ImageInput, UpscaleOptions } from './types.ts';

/** On the device already. */
export const isGpuImage = (input: ImageInput | ImageSize): input is GpuImage =>
  'createView' in input || 'buffer' in input;

/**
 * Width and height in pixels, as they are computed: of an <img> or a video what is in its file, however it is
 * laid out. TypeError: no image, no size. RangeError: no pixels, as of a picture that is not loaded.
 */
export function inputSize(input: ImageInput | ImageSize): ImageSize {
  // Types alone do not stop JavaScript.
  const given: unknown = input;
  if (
    typeof given !== 'object' ||
    given === null ||
    !('width' in given || 'displayWidth' in given)
  ) {
    throw new TypeError(
      `the input is ${given === null ? 'null' : typeof given}, expected a texture, an ImageBuffer, ImageData or another image of the page`,
    );
  }
  // A size alone has none of the other sides that images have.
  const { width, height } = isGpuImage(input) ? input : pageImageSize(input as PageImage);
  expectSides('the input', { width, height });
  return { width, height };
}

/** An image on the device, and what of it is computed. */
export interface Source {
  readonly image: GpuImage;
  readonly from: Rectangle;
  readonly transfer: Transfer;
  /** Rejects with DeviceError where there is no memory for a copy. */
  readonly ready: Promise<void>;
  /** Of the copy, if it is one. */
  free(): void;
}

/** The input as it is, or, of an image of the page, a copy of what is needed, made now. ImageSizeError: no texture holds that. */
export function sourceOf(
  { device, allocator }: EngineContext,
  input: ImageInput,
  from: Rectangle,
  { inputTransfer = 'srgb', colorSpace }: Pick<UpscaleOptions, 'inputTransfer' | 'colorSpace'>,
): Source {
  if (isGpuImage(input)) {
    expectReadable(device, 'the input', input);
    const free = (): void => {};
    return { image: input, from, transfer: inputTransfer, ready: Promise.resolve(), free };
  }
  expectTextureFits(device, 'the input', from);
  const space = colorSpace ?? colorSpaceOf(input) ?? 'srgb';
  const { texture, ready } = uploadImage(device, allocator, input, { from, colorSpace: space });
  ready.catch(() => {}); // told when it is awaited; after an abort nobody does
  const free = (): void => allocator.destroyTexture(texture);
  return { image: texture, from: { ...from, x: 0, y: 0 }, transfer: 'srgb', ready, free };
}
