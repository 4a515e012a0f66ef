/** Rectangles of whole pixels: which parts of a photo are sharp already, and which are to come. */
import type { Region } from '../../src/index.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const whole = ({ width, height }: Size): Region => ({ x: 0, y: 0, width, height });

export const sameRegion = (a: Region, b: Region): boolean =>
  a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;

export const areaOf = ({ width, height }: Size): number => width * height;

/** What two regions share; null where that is nothing. */
export function meet(a: Region, b: Region): Region | null {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const right = Math.min(a.x + a.width, b.x + b.width);
  const bottom = Math.min(a.y + a.height, b.y + b.height);
  return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y } : null;
}

/** `region` and `by` pixels more on each side, as far as `within` goes. `region` meets `within`. */
export const grow = ({ x, y, width, height }: Region, by: number, within: Region): Region =>
  meet({ x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by }, within) ?? within;

/** Cells of `side` squared, row by row; the last ones are what is left. */
export function cellsOf({ x, y, width, height }: Region, side: number): readonly Region[] {
  const starts = (length: number): readonly number[] =>
    Array.from({ length: Math.ceil(length / side) }, (_, i) => i * side);
  return starts(height).flatMap((top) =>
    starts(width).map((left) => ({
      x: x + left,
      y: y + top,
      width: Math.min(side, width - left),
      height: Math.min(side, height - top),
    })),
  );
}

/** Those around the middle of `looked` before those further away. */
export function nearestFirst(regions: readonly Region[], looked: Region): readonly Region[] {
  const middle = ({ x, y, width, height }: Region) => [x + width / 2, y + height / 2] as const;
  const [atX, atY] = middle(looked);
  const distance = (region: Region): number => {
    const [x, y] = middle(region);
    return Math.hypot(x - atX, y - atY);
  };
  return regions.toSorted((a, b) => distance(a) - distance(b));
}

/** `a` without `b`, as up to four rectangles that do not overlap. */
export function subtract(a: Region, b: Region): readonly Region[] {
  const shared = meet(a, b);
  if (!shared) return [a];
  const { x: left, y: top } = shared;
  const right = left + shared.width;
  const bottom = top + shared.height;
  return [
    { x: a.x, y: a.y, width: a.width, height: top - a.y },
    { x: a.x, y: bottom, width: a.width, height: a.y + a.height - bottom },
    { x: a.x, y: top, width: left - a.x, height: bottom - top },
    { x: right, y: top, width: a.x + a.width - right, height: bottom - top },
  ].filter(({ width, height }) => width > 0 && height > 0);
}

/** `wanted` without `others`, as rectangles that do not overlap. */
export const outside = (wanted: Region, others: readonly Region[]): readonly Region[] =>
  others.reduce<readonly Region[]>(
    (parts, other) => parts.flatMap((part) => subtract(part, other)),
    [wanted],
  );

/** The smallest rectangle around what of `wanted` is not done; null where all is. */
export function missing(wanted: Region, done: readonly Region[]): Region | null {
  const parts = outside(wanted, done);
  if (parts.length === 0) return null;
  const x = Math.min(...parts.map((part) => part.x));
  const y = Math.min(...parts.map((part) => part.y));
  const right = Math.max(...parts.map((part) => part.x + part.width));
  const bottom = Math.max(...parts.map((part) => part.y + part.height));
  return { x, y, width: right - x, height: bottom - y };
}
