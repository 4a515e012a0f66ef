/**
 * Tiling ("chopping" in the official code): where tiles start, and the Gaussian weights that blend
 * their x4 results.
 *
 * The weights of all tiles form a product grid, so their sum is separable: each tile gets 1-D
 * weights already divided by that sum, and blending is one multiply-add per pixel. Sums are f64.
 */
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

/** Tiles of a padded image in row-major order. `stride` in LR pixels. */
export function tileGrid(
  { height, width }: { readonly height: number; readonly width: number },
  {
    tile,
    stride,
    scale,
  }: { readonly tile: number; readonly stride: number; readonly scale: number },
): TileGrid {
  const rows = tileStarts(height, tile, stride);
  const columns = tileStarts(width, tile, stride);
  return {
    tiles: rows.flatMap((y) => columns.map((x) => ({ y, x }))),
    rowWeights: normalisedWeights(rows, height, tile, scale),
    columnWeights: normalisedWeights(columns, width, tile, scale),
  };
}

function normalisedWeights(
  starts: readonly number[],
  length: number,
  tile: number,
  scale: number,
): Map<number, Float32Array> {
  const taps = gaussian(tile * scale);
  const sum = new Float64Array(length * scale);
  for (const start of starts) {
    for (const [i, tap] of taps.entries()) {
      if (start * scale + i < sum.length)
        sum[start * scale + i] = (sum[start * scale + i] ?? 0) + tap;
    }
  }
  return new Map(
    starts.map((start) => [
      start,
      Float32Array.from(taps, (tap, i) => tap / (sum[start * scale + i] ?? 1)),
    ]),
  );
}
