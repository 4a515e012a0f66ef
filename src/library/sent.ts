/** What a page sends to its worker: images and folders as they can be cloned. */
import { drawn, type PageImage, pageImageSize } from '../engine/image-upload.ts';
import type { BlobFolder } from '../weights/folder.ts';
import type { SentImage, SentWeights } from './worker-protocol.ts';

/** Addresses are relative to the page, not to the worker's script. */
export function sentWeights(weights: string | URL | BlobFolder): SentWeights {
  if (typeof weights === 'object' && 'files' in weights) {
    return { name: weights.name, files: weights.files };
  }
  return new URL(weights, globalThis.document?.baseURI).href;
}

/** An image as it can be cloned, and what of it is handed over. */
export interface Sent {
  readonly image: SentImage;
  readonly own: Transferable[];
}

/**
 * At once, or soon of what cannot be cloned: a bitmap of an element or canvas. Bytes are copied here: cloning takes
 * all of a larger buffer along, and shares one that is shared.
 */
export function sentImage(input: PageImage): Sent | Promise<Sent> {
  if ('data' in input) {
    const { width, height, colorSpace } = input;
    const data = input.data.slice();
    return {
      image: { width, height, data, ...(colorSpace && { colorSpace }) },
      own: [data.buffer],
    };
  }
  return 'close' in input ? { image: input, own: [] } : drawnBitmap(input);
}

async function drawnBitmap(input: Exclude<PageImage, SentImage>): Promise<Sent> {
  const options = { premultiplyAlpha: 'none' } as const;
  const bitmap = await createImageBitmap(input, options).catch((error: unknown) => {
    if (!('getContext' in input)) throw error;
    // One without a context, which Chromium makes no bitmap of: as it is shown, as InvSR has it.
    return createImageBitmap(drawn(input, { x: 0, y: 0, ...pageImageSize(input) }), options);
  });
  return { image: bitmap, own: [bitmap] };
}
