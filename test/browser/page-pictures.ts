/** Pictures of the scripts of test pages, as images of the page, and how far two results are apart. */
import { picture } from '../harness/pictures.ts';

/** Two tiles of 16 pixels, so that a run has a middle. */
export const LARGE = { width: 28, height: 16 } as const;
export const SMALL = { width: 16, height: 13 } as const;

export function imageOf(size: { readonly width: number; readonly height: number }): ImageData {
  const { data, width, height } = picture(size.width, size.height);
  return new ImageData(data, width, height);
}

export function canvasOf(image: ImageData): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  return canvas;
}

/** Largest difference of two results. */
export function apart(a: Uint8ClampedArray, b: Uint8ClampedArray): number {
  if (a.length !== b.length) return Infinity;
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
}
