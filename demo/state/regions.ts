/** Rectangles of whole pixels: which parts of a photo are sharp already, and which are to come. */
import type { Region } from '../../src/index.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const whole = ({ width, height }: Size): Region => ({ x: 0, y: 0, width, height });

export const sameRegion = (a: Region, b: Region): boolean =>
  a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;

/** The part of `region` inside an image; null where there is none. */
export function clip(region: Region, { width, height }: Size): Region | null {
  const left = Math.max(0, Math.floor(region.x));
  const top = Math.max(0, Math.floor(region.y));
  const right = Math.min(width, Math.ceil(region.x + region.width));
  const bottom = Math.min(height, Math.ceil(region.y + region.height));
  if (right <= left || bottom <= top) return null;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** `a` without `b`, as up to four rectangles that do not overlap. */
export function subtract(a: Region, b: Region): readonly Region[] {
  const left = Math.max(a.x, b.x);
  const top = Math.max(a.y, b.y);
  const right = Math.min(a.x + a.width, b.x + b.width);
  const bottom = Math.min(a.y + a.height, b.y + b.height);
  if (right <= left || bottom <= top) return [a];
  return [
    { x: a.x, y: a.y, width: a.width, height: top - a.y },
    { x: a.x, y: bottom, width: a.width, height: a.y + a.height - bottom },
    { x: a.x, y: top, width: left - a.x, height: bottom - top },
    { x: right, y: top, width: a.x + a.width - right, height: bottom - top },
  ].filter(({ width, height }) => width > 0 && height > 0);
}

/** The smallest rectangle around what of `wanted` is not done; null where all is. */
export function missing(wanted: Region, done: readonly Region[]): Region | null {
  let parts: readonly Region[] = [wanted];
  for (const region of done) parts = parts.flatMap((part) => subtract(part, region));
  if (parts.length === 0) return null;
  const x = Math.min(...parts.map((part) => part.x));
  const y = Math.min(...parts.map((part) => part.y));
  const right = Math.max(...parts.map((part) => part.x + part.width));
  const bottom = Math.max(...parts.map((part) => part.y + part.height));
  return { x, y, width: right - x, height: bottom - y };
}
