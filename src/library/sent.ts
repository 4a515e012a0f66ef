/** What a page sends to its worker: images and folders as they can be cloned. */
import type { PageImage } from '../engine/image-upload.ts';
import type { BlobFolder } from '../weights/folder.ts';
import type { SentImage, SentWeights } from './worker-protocol.ts';

/** Addresses are relative to the page, not to the worker's script. */
export function sentWeights(weights: string | URL | BlobFolder): SentWeights {
  if (typeof weights === 'object' && 'files' in weights) {
    return { name: weights.name, files: weights.files };
  }
  return new URL(weights, globalThis.document?.baseURI).href;
}

/**
 * An image as it can be cloned, and what of it is handed over: elements and canvases cannot be cloned. TypeError: a
 * canvas that shows nothing.
 */
export async function sentImage(
  input: PageImage,
): Promise<[image: SentImage, own: Transferable[]]> {
  if ('data' in input || 'close' in input) return [input, []];
  const isCanvas = 'getContext' in input;
  const bitmap = await createImageBitmap(input, { premultiplyAlpha: 'none' }).catch(
    (cause: unknown) => {
      throw isCanvas ? showsNothing(cause) : cause;
    },
  );
  if (isCanvas && isBlank(bitmap)) throw showsNothing();
  return [bitmap, [bitmap]];
}

const showsNothing = (cause?: unknown): TypeError =>
  new TypeError(
    'the input is a canvas that shows nothing; give it when it was drawn to, one of WebGPU or WebGL in the same task',
    { cause },
  );

/** Transparent everywhere, as a canvas without a context is: no browser tells that it has none. */
function isBlank(image: ImageBitmap): boolean {
  const isClear = (width: number, height: number): boolean => {
    const context = new OffscreenCanvas(width, height).getContext('2d', {
      willReadFrequently: true,
    });
    context?.drawImage(image, 0, 0, width, height);
    return context?.getImageData(0, 0, width, height).data.every((value) => value === 0) === true;
  };
  // As a rule a few pixels tell, and the page's thread need not look at all of them.
  return isClear(16, 16) && isClear(image.width, image.height);
}
