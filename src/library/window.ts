/**
 * What of an input is computed: all of it, or a region with what surrounds it, so that the region looks as
 * it would in the whole.
 */
import type { ImageSize, Rectangle } from '../engine/gpu-image.ts';
import { MULTIPLE } from '../invsr/padding.ts';

/** LR pixels around a region: what tiles of 128 repeat of each other. */
export const SURROUND = 16;

/** RangeError unless the region is of whole pixels and inside the image. */
export function expectRegion(region: Rectangle, { width, height }: ImageSize): void {
  const { x, y, width: w, height: h } = region;
  const isInside = x >= 0 && y >= 0 && w >= 1 && h >= 1 && x + w <= width && y + h <= height;
  if (isInside && [x, y, w, h].every(Number.isInteger)) return;
  throw new RangeError(
    `region is ${w}x${h} at (${x},${y}), expected whole pixels inside the input of ${width}x${height}`,
  );
}

/**
 * The region and its surroundings: SURROUND where the image has them, and where a tile is larger than that
 * as much of the image as fits in it, which costs nothing. It starts at even places, as latents do.
 */
export function windowOf(region: Rectangle, image: ImageSize, tile: number): Rectangle {
  const rows = spanOf(region.y, region.height, image.height, tile);
  const columns = spanOf(region.x, region.width, image.width, tile);
  return { x: columns.start, y: rows.start, width: columns.length, height: rows.length };
}

function spanOf(
  start: number,
  length: number,
  total: number,
  tile: number,
): { readonly start: number; readonly length: number } {
  const wanted = Math.max(tile, MULTIPLE * Math.ceil((length + 2 * SURROUND) / MULTIPLE));
  const centred = 2 * Math.floor((start - (wanted - length) / 2) / 2);
  const last = 2 * Math.ceil((total - wanted) / 2); // a pixel short where the image ends at an odd place
  const from = Math.max(0, Math.min(centred, last));
  return { start: from, length: Math.min(wanted, total - from) };
}
