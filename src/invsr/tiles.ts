/**
 * Tiling ("chopping" in the official code, whose manner is in official-frame.ts): where tiles start, and the
 * weights that blend their x4 results. Starts are spread evenly; a tile counts fully except where it overlaps
 * a neighbour, and there it fades as a cosine, to nothing a few pixels before its edge (docs/seams.md).
 *
 * The weights of all tiles form a product grid, so their sum is separable: each tile gets 1-D
 * weights already divided by that sum, and blending is one multiply-add per pixel. Sums are f64.
 */
import type { ImageSize } from '../engine/gpu-image.ts';
export interface Tile {
  /** LR pixels. */
  readonly y: number;
  readonly x: number;
}

export interface TileGrid {
  readonly tiles: readonly Tile[];
  /** Normalised weights of each tile's rows and columns, `tile · scale` long, by tile origin. */
  readonly rowWeights: ReadonlyMap<number, Float32Array>;
  readonly columnWeights: ReadonlyMap<number, Float32Array>;
}

/** Starts are multiples of this: a latent covers two LR pixels. */
const START_MULTIPLE = 2;

/** The fewest starts whose tiles repeat at least `overlap` pixels of their neighbours, spread evenly. Even lengths. */
export function spreadStarts(length: number, tile: number, overlap: number): number[] {
  if (length <= tile) return [0];
  // Both in multiples: then rounding never makes a step longer than the longest allowed.
  const distance = (length - tile) / START_MULTIPLE;
  const longest = Math.max(1, Math.floor((tile - overlap) / START_MULTIPLE));
  const steps = Math.ceil(distance / longest);
  return Array.from(
    { length: steps + 1 },
    (_, i) => START_MULTIPLE * Math.round((i * distance) / steps),
  );
}

/** How tiles fade into each other. */
export interface Ramp {
  readonly shape: 'linear' | 'cosine';
  /** Pixels of the tile's result at an inner edge that are not used; at most a quarter of the overlap. */
  readonly margin: number;
}

/** What docs/seams.md found best. */
const RAMP: Ramp = { shape: 'cosine', margin: 8 };

/**
 * Weights of the tile that begins at starts[index], each `tile · scale` taps; 1 where no neighbour
 * reaches. Those of two neighbours sum to 1 over their overlap.
 */
export function rampTaps(
  starts: readonly number[],
  index: number,
  { tile, scale, ramp }: { readonly tile: number; readonly scale: number; readonly ramp: Ramp },
): Float64Array {
  const length = tile * scale;
  const overlapWith = (other: number | undefined): number =>
    other === undefined ? 0 : (tile - Math.abs((starts[index] ?? 0) - other)) * scale;
  const before = overlapWith(starts[index - 1]);
  const after = overlapWith(starts[index + 1]);
  return Float64Array.from({ length }, (_, i) =>
    Math.min(rise(i, before, ramp), rise(length - 1 - i, after, ramp)),
  );
}

/** 0 at the edge, 1 from `overlap` pixels on; rise(i) + rise(overlap − 1 − i) = 1. */
function rise(i: number, overlap: number, { shape, margin }: Ramp): number {
  if (i >= overlap) return 1;
  const dead = Math.min(margin, Math.floor(overlap / 4));
  const t = Math.min(1, Math.max(0, (i + 0.5 - dead) / (overlap - 2 * dead)));
  return shape === 'linear' ? t : 0.5 - 0.5 * Math.cos(Math.PI * t);
}

export interface GridOptions {
  readonly tile: number;
  readonly scale: number;
}

/** Even tiles of a padded image, in row-major order. `overlap`: the least share of a tile repeated. */
export function evenGrid(
  { height, width }: ImageSize,
  {
    tile,
    overlap,
    scale,
    ramp = RAMP,
  }: GridOptions & { readonly overlap: number; readonly ramp?: Ramp },
): TileGrid {
  const startsOf = (length: number): number[] => spreadStarts(length, tile, overlap * tile);
  return gridOf(startsOf(height), startsOf(width), (starts) =>
    normalised(starts, scale, (index) => rampTaps(starts, index, { tile, scale, ramp })),
  );
}

/** The weights of all starts by start, on both axes. */
export function gridOf(
  rows: readonly number[],
  columns: readonly number[],
  weightsOf: (starts: readonly number[]) => Map<number, Float32Array>,
): TileGrid {
  return {
    tiles: rows.flatMap((y) => columns.map((x) => ({ y, x }))),
    rowWeights: weightsOf(rows),
    columnWeights: weightsOf(columns),
  };
}

/** Taps by start, divided by the sum of all tiles' taps at the same pixel. */
export function normalised(
  starts: readonly number[],
  scale: number,
  tapsOf: (index: number) => Float64Array,
): Map<number, Float32Array> {
  const tapsOfAll = starts.map((_, index) => tapsOf(index));
  const end = (starts.at(-1) ?? 0) * scale + (tapsOfAll[0]?.length ?? 0);
  const sum = new Float64Array(end);
  for (const [index, start] of starts.entries()) {
    for (const [i, tap] of (tapsOfAll[index] ?? []).entries()) {
      sum[start * scale + i] = (sum[start * scale + i] ?? 0) + tap;
    }
  }
  return new Map(
    starts.map((start, index) => [
      start,
      Float32Array.from(tapsOfAll[index] ?? [], (tap, i) => tap / (sum[start * scale + i] ?? 1)),
    ]),
  );
}
