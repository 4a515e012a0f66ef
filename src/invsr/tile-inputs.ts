/**
 * What the plans of one batch of B tiles are given besides the image, written into its buffers:
 *
 *   origins, targets      u32 [B, 2]        where each tile lies in the padded image and the result
 *   weightsY, weightsX    f32 [B, 4P]       how its rows and columns are blended
 *   seed, latentOrigins   u32 [4], [B, 2]   for the generator of noise, or else
 *   draw0, draw1          f32 [B, P/2, P/2, latent→4]   the noise itself
 */
import type { Buffers } from './buffers.ts';
import type { PaddingPlan } from './padding.ts';
import { LATENTS_PER_LR_PIXEL, SCALE } from './tile-graph.ts';
import type { Tile, TileGrid } from './tiles.ts';

export const DEFAULT_SEED = 12345;

/** u32 [4] as the generator takes it: a seed may be larger than 32 bits. */
export const seedWords = (seed: number): Uint32Array<ArrayBuffer> =>
  Uint32Array.of(seed % 2 ** 32, Math.floor(seed / 2 ** 32), 0, 0);

/** Where the tiles lie, and how they are weighted. */
export async function writePlaces(
  buffers: Buffers,
  tiles: readonly Tile[],
  {
    tile,
    grid,
    padding,
  }: { readonly tile: number; readonly grid: TileGrid; readonly padding: PaddingPlan },
): Promise<void> {
  const side = tile * SCALE;
  const weightsY = new Float32Array(tiles.length * side);
  const weightsX = new Float32Array(tiles.length * side);
  for (const [i, { y, x }] of tiles.entries()) {
    weightsY.set(grid.rowWeights.get(y) ?? [], i * side);
    weightsX.set(grid.columnWeights.get(x) ?? [], i * side);
  }
  await buffers.write('origins', Uint32Array.from(tiles.flatMap(({ y, x }) => [y, x])));
  const targets = tiles.flatMap(({ y, x }) => [y - padding.top, x - padding.left]);
  await buffers.write('targets', Uint32Array.from(targets));
  await buffers.write('weightsY', weightsY);
  await buffers.write('weightsX', weightsX);
}

/**
 * Where a tile's first latent lies in the image itself, modulo 2^32: counted from the image's first
 * pixel, whatever was padded before it, so that noise does not depend on the tile's size.
 */
export const latentOrigin = ({ y, x }: Tile, { top, left }: PaddingPlan): Tile => ({
  y: (LATENTS_PER_LR_PIXEL * (y - top)) >>> 0,
  x: (LATENTS_PER_LR_PIXEL * (x - left)) >>> 0,
});

/** For the generator: noise follows the place in the image, so that tiles agree where they overlap. */
export async function writeSeed(
  buffers: Buffers,
  tiles: readonly Tile[],
  {
    seed,
    padding,
    strideOfOwn,
    first,
  }: {
    readonly seed: number;
    readonly padding: PaddingPlan;
    /** Noise per tile: the official code draws anew for each, so give it a stretch of its own. */
    readonly strideOfOwn: number | undefined;
    /** Index of the first tile in the image. */
    readonly first: number;
  },
): Promise<void> {
  await buffers.write('seed', seedWords(seed));
  const origins =
    strideOfOwn === undefined
      ? tiles.map((tile) => latentOrigin(tile, padding)).flatMap(({ y, x }) => [y, x])
      : tiles.flatMap((_, i) => [(first + i) * strideOfOwn, 0]);
  await buffers.write('latentOrigins', Uint32Array.from(origins));
}
