import type { ImageSize } from '../engine/gpu-image.ts';

/** 8-bit pixels on the host. */
export interface Pixels extends ImageSize {
  /** rgba8, R first, row-major. */
  readonly pixels: Uint8Array;
}

/** RangeError where the bytes are not those of an rgba8 image of the given size. */
export function checkPixels({ width, height, pixels }: Pixels): void {
  const isSide = (side: number): boolean => Number.isInteger(side) && side >= 1;
  if (!isSide(width) || !isSide(height)) {
    throw new RangeError(
      `the image is ${width}x${height}, expected whole sides of at least 1 pixel`,
    );
  }
  if (pixels.length !== 4 * width * height) {
    throw new RangeError(
      `pixels has ${pixels.length} bytes, expected ${4 * width * height}: rgba8 of ${width}x${height}`,
    );
  }
}
