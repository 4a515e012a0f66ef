/**
 * Reflect padding as the official sampler does it. A reflection adds at most side − 1 pixels, so a
 * very small image takes several passes.
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import type { Padding } from '../graph/builder.ts';

/** With the size after all passes. */
export interface PaddingPlan extends ImageSize {
  /** Applied in order. */
  readonly passes: readonly Padding[];
  /** Where the original's first pixel lies in the padded image. */
  readonly top: number;
  readonly left: number;
}

/** Sides of a tiled image are padded to multiples of this, so that latents divide evenly. */
export const MULTIPLE = 16;

export interface PaddingOptions {
  /**
   * Top and left are even: a latent covers two pixels, so noise keeps its place in the image whatever
   * the tile. The official code lets them be odd.
   */
  readonly even?: boolean;
}

/** Pads an image of [height, width] so that tiles of `tile` pixels cover it. */
export function planPadding(
  height: number,
  width: number,
  tile: number,
  { even = false }: PaddingOptions = {},
): PaddingPlan {
  const passes: Padding[] = [];
  let [h, w, top, left] = [height, width, 0, 0];
  const clamp = (value: number, side: number): number => Math.max(0, Math.min(value, side - 1));
  while (Math.min(h, w) < tile) {
    const before = (side: number): number => {
      const half = clamp(Math.floor((tile - side) / 2), side);
      return even ? half - (half % 2) : half;
    };
    const after = (side: number): number => clamp(tile - side - before(side), side);
    const pass = { top: before(h), bottom: after(h), left: before(w), right: after(w) };
    if (pass.top + pass.bottom + pass.left + pass.right === 0) {
      // A side of one pixel has nothing to reflect: repeat it, as the callers do beforehand.
      throw new RangeError(`cannot reflect-pad an image of ${width}x${height} pixels`);
    }
    passes.push(pass);
    h += pass.top + pass.bottom;
    w += pass.left + pass.right;
    top += pass.top;
    left += pass.left;
  }
  if (h !== tile || w !== tile) {
    const extra = (side: number): number => Math.ceil(side / MULTIPLE) * MULTIPLE - side;
    const pass = { top: 0, left: 0, bottom: extra(h), right: extra(w) };
    if (pass.bottom + pass.right > 0) passes.push(pass);
    h += pass.bottom;
    w += pass.right;
  }
  return { passes, height: h, width: w, top, left };
}

/** For every padded row (or column) of an axis, the one of the original that it repeats. */
export function reflectedIndices(
  length: number,
  passes: readonly { readonly before: number; readonly after: number }[],
): Int32Array {
  let indices = Int32Array.from({ length }, (_, i) => i);
  for (const { before, after } of passes) {
    const last = indices.length - 1;
    indices = Int32Array.from({ length: before + indices.length + after }, (_, i) => {
      const at = Math.abs(i - before);
      return indices[at > last ? 2 * last - at : at] ?? 0;
    });
  }
  return indices;
}
