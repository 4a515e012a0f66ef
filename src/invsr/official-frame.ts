/**
 * Tiles as the official code has them: starts 0, stride, …, the last one pulled back; a Gaussian over the whole
 * tile; padding and noise that know no even places.
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import { batchesOf, type FrameOptions, type FramePlan } from './gpu-frame.ts';
import { planPadding } from './padding.ts';
import { SCALE } from './tile-graph.ts';
import { type GridOptions, gridOf, normalised, type TileGrid } from './tiles.ts';

/** `planFrame` (gpu-frame.ts) in the official manner. */
export function planOfficialFrame(
  lr: ImageSize,
  { tile, tileBatch, overlap }: Pick<FrameOptions, 'tile' | 'tileBatch' | 'overlap'>,
): FramePlan {
  const padding = planPadding(lr.height, lr.width, tile);
  // Even starts, because a latent covers two LR pixels.
  const stride = Math.max(2, 2 * Math.round(((1 - overlap) * tile) / 2));
  const grid = tileGrid(padding, { tile, stride, scale: SCALE });
  const batches = batchesOf(grid.tiles, tileBatch);
  return { lr, tile, official: true, origin: { y: 0, x: 0 }, padding, grid, batches };
}

/** Starts on an axis of `length` pixels: 0, stride, …, the last one pulled back to fit. */
export function tileStarts(length: number, tile: number, stride: number): number[] {
  if (length <= tile) return [0];
  const starts: number[] = [];
  for (let start = 0; start < length; start += stride) {
    starts.push(Math.min(start, length - tile));
  }
  return [...new Set(starts)];
}

/**
 * The official blending kernel: a Gaussian of `n` taps. For even n OpenCV's kernel of n + 1 taps
 * loses its first one, so it is not symmetric.
 */
export function gaussian(n: number): Float64Array {
  const sigma = 0.3 * ((n - 1) / 2 - 1) + 0.8;
  const centre = n % 2 === 0 ? n / 2 - 1 : (n - 1) / 2;
  return Float64Array.from({ length: n }, (_, i) =>
    Math.exp(-((i - centre) ** 2) / (2 * sigma * sigma)),
  );
}

/** The official tiles of a padded image, in row-major order. `stride` in LR pixels. */
export function tileGrid(
  { height, width }: ImageSize,
  { tile, stride, scale }: GridOptions & { readonly stride: number },
): TileGrid {
  const taps = gaussian(tile * scale);
  return gridOf(tileStarts(height, tile, stride), tileStarts(width, tile, stride), (starts) =>
    normalised(starts, scale, () => taps),
  );
}
