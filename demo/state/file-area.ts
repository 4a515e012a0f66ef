/** What of a result one file can hold: browsers put it together on a canvas, and those have limits. */
import type { Region } from '../../src/index.ts';
import { areaOf, type Size, whole } from './regions.ts';

/**
 * Chromium's area, and a side within it. Not ours to measure: Firefox is said to have more, Safari on
 * phones a sixteenth of the area.
 */
const CANVAS_SIDE = 16_384;
const CANVAS_PIXELS = 2 ** 28;

/** All of the photo; where that is too large what is looked at; null where even that is. */
export function fileAreaOf(size: Size, looked: Region | null, scale: number): Region | null {
  const fits = ({ width, height }: Size): boolean =>
    scale * Math.max(width, height) <= CANVAS_SIDE &&
    scale * scale * areaOf({ width, height }) <= CANVAS_PIXELS;
  if (fits(size)) return whole(size);
  return looked && fits(looked) ? looked : null;
}
