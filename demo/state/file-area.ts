/** What of a result one file can hold: browsers put JPEG and WebP together on a canvas, and those have limits. */
import type { Region } from '../../src/index.ts';
import type { Format, SaveOptions } from '../picture/encode.ts';
import { areaOf, type Size, whole } from './regions.ts';

/** Chromium's area, and a side within it. Not ours to measure: Firefox is said to have more. */
export const CANVAS_PIXELS = 2 ** 28;
/** Of WebP the format's; PNG is written by rows (picture/png.ts). */
const SIDES: Readonly<Record<Format, number>> = { png: Infinity, jpeg: 16_384, webp: 16_383 };
/** What Safari is said to have on phones, and to have had. */
const PHONE_PIXELS = [2 ** 26, 2 ** 24];

export interface FileArea extends Pick<SaveOptions, 'scale' | 'region'> {
  /** Of the photo. */
  readonly isAll: boolean;
}

/**
 * For ×4 and ×2 what a file of that format can hold: all of the photo; where that is too large what is
 * looked at; nothing where even that is. `canvasPixels` is what a canvas may have.
 */
export function fileAreas(
  size: Size,
  looked: Region | null,
  format: Format,
  canvasPixels: number,
): readonly FileArea[] {
  const pixels = format === 'png' ? Infinity : canvasPixels;
  return ([4, 2] as const).flatMap((scale): readonly FileArea[] => {
    const fits = (area: Size): boolean =>
      scale * Math.max(area.width, area.height) <= SIDES[format] &&
      scale * scale * areaOf(area) <= pixels;
    if (fits(size)) return [{ scale, region: whole(size), isAll: true }];
    return looked && fits(looked) ? [{ scale, region: looked, isAll: false }] : [];
  });
}

/** Pixels to try with where the browser could not make `refused`. */
export const fewerPixels = (refused: number): number =>
  PHONE_PIXELS.find((pixels) => pixels < refused) ?? Math.floor(refused / 2);
