/** What of a result one file can hold: browsers put it together on a canvas, and those have limits. */
import type { Region } from '../../src/index.ts';
import { areaOf, type Size, whole } from './regions.ts';

/** Chromium's area, and a side within it. Not ours to measure: Firefox is said to have more. */
export const CANVAS_PIXELS = 2 ** 28;
const CANVAS_SIDE = 16_384;
/** What Safari is said to have on phones, and to have had. */
const PHONE_PIXELS = [2 ** 26, 2 ** 24];

/** All of the photo; where that has more than `pixels` what is looked at; null where even that has. */
export function fileAreaOf(
  size: Size,
  looked: Region | null,
  scale: number,
  pixels: number,
): Region | null {
  const fits = ({ width, height }: Size): boolean =>
    scale * Math.max(width, height) <= CANVAS_SIDE &&
    scale * scale * areaOf({ width, height }) <= pixels;
  if (fits(size)) return whole(size);
  return looked && fits(looked) ? looked : null;
}

/** Pixels to try with where the browser could not make `refused`. */
export const fewerPixels = (refused: number): number =>
  PHONE_PIXELS.find((pixels) => pixels < refused) ?? Math.floor(refused / 2);
