/**
 * How a photo's result is cut: into sheets, the textures that hold it, and into runs, what the engine
 * makes at once. What can be made at once and is no larger than a texture is one sheet and one run.
 *
 *   sheet   a cell of a grid. Its texture shows APRON pixels more of each neighbour: what filters of the
 *           viewer read beyond the border, so that none can be seen.
 *   run     a cell of another grid. It is made with MARGIN pixels more on each side, over which it fades
 *           into its neighbours, and SURROUND more that the engine looks at (library/window.ts).
 *
 * All in pixels of the photo.
 */
import type { Region } from '../../src/index.ts';
import { MULTIPLE } from '../../src/invsr/padding.ts';
import { SURROUND } from '../../src/library/window.ts';
import type { Options } from './options.ts';
import { areaOf, cellsOf, grow, type Size, whole } from './regions.ts';

export const SCALE = 4;

/** What this device has room for. */
export interface Room {
  /** Largest side of a texture. */
  readonly textureSide: number;
  /** Largest side of a sheet's texture where there are several, pixels of the result. */
  readonly sheetSide: number;
  /** Pixels of the largest photo that is made at once. */
  readonly runPixels: number;
  /** Largest side of what the engine looks at in one of several runs. */
  readonly runSide: number;
}

export interface Limits {
  readonly maxTextureDimension2D: number;
  readonly maxStorageBufferBindingSize: number;
}

/** The engine blends tiles in four floats for each pixel of the result, and keeps two pictures of that kind. */
const BYTES_OF_PIXEL = 16 * SCALE * SCALE;
/** Pictures beyond this would take the room that the networks need. */
const LARGEST_RUN_BYTES = 2 ** 30;

export const roomOf = ({ maxTextureDimension2D, maxStorageBufferBindingSize }: Limits): Room => ({
  textureSide: maxTextureDimension2D,
  // 64 MiB. As WebGPU promises 8192, no device has less.
  sheetSide: 4096,
  runPixels: Math.floor(Math.min(LARGEST_RUN_BYTES, maxStorageBufferBindingSize) / BYTES_OF_PIXEL),
  // 25 tiles of 128. Its pictures have 85 MB; WebGPU promises 134.
  runSide: 576,
});

/** `whole`: made at once. `parts`: run by run, in sheets. `none`: the photo itself is too large for a texture. */
export type Fit = 'whole' | 'parts' | 'none';

export function fitOf(size: Size, { textureSide, runPixels }: Room): Fit {
  const side = Math.max(size.width, size.height);
  if (side > textureSide) return 'none';
  return areaOf(size) <= runPixels && SCALE * side <= textureSide ? 'whole' : 'parts';
}

export interface Sheet {
  /** What its texture holds. */
  readonly region: Region;
  /** What is shown of it: these tile the photo. */
  readonly shows: Region;
}

/** 32 pixels of the result: enough for reductions to a 64th. */
export const APRON = 8;

export function sheetsOf(size: Size, room: Room): readonly Sheet[] {
  const all = whole(size);
  if (fitOf(size, room) === 'whole') return [{ region: all, shows: all }];
  const cells = cellsOf(all, Math.floor(room.sheetSide / SCALE) - 2 * APRON);
  return cells.map((shows) => ({ region: grow(shows, APRON, all), shows }));
}

/** As much as a run fades over. */
export const MARGIN = 8;

/** The runs that `region` of a photo takes, without their margins. */
export function runsOf(
  region: Region,
  size: Size,
  room: Room,
  { tile, overlap }: Pick<Options, 'tile' | 'overlap'>,
): readonly Region[] {
  if (fitOf(size, room) === 'whole') return [region];
  // As many whole tiles as there is room for: none of them is computed for a strip of itself.
  const stride = tile * (1 - overlap);
  const tiles = Math.max(1, Math.floor((room.runSide - tile) / stride) + 1);
  const side = MULTIPLE * Math.floor((tile + (tiles - 1) * stride) / MULTIPLE);
  return cellsOf(region, Math.max(MULTIPLE, side - 2 * (SURROUND + MARGIN)));
}
