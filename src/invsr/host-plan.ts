/**
 * The geometry of the host frame, known before a pixel is read: what the networks see, the tiles and
 * their batches, and which rows of one stage the next one needs.
 *
 *   source [h, w] ─enlarge (scale > 4)→ lr ─pad→ tiles ─networks→ patches ─blend→ content [4·lr]
 *     ─colour fix→ ─shrink (scale < 4) or crop→ result [round(h·scale), round(w·scale)]
 *
 * Half-pixel centres everywhere: the edges of source and result coincide.
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import { haloOf } from './color-fix-rows.ts';
import type { ColorFix } from './image-graphs.ts';
import { type PaddingPlan, planPadding } from './padding.ts';
import { type Axis, Resizer } from './resample.ts';
import { SCALE } from './tile-graph.ts';
import { evenGrid, type Ramp, type Tile, type TileGrid } from './tiles.ts';

export interface HostPlanOptions {
  readonly tile: number;
  readonly tileBatch: number;
  /** The least share of a tile that its neighbour repeats. */
  readonly overlap: number;
  readonly colorFix: ColorFix;
  /** Of the result, 1 to 8. @default 4 */
  readonly scale?: number;
  readonly ramp?: Ramp;
}

export interface HostPlan {
  readonly source: ImageSize;
  /** What the networks see, before padding. */
  readonly lr: ImageSize;
  /** Pixels of `lr` per pixel of `source`, along each axis; 1 up to a scale of 4. */
  readonly enlargement: Readonly<Record<keyof ImageSize, number>>;
  readonly padding: PaddingPlan;
  readonly grid: TileGrid;
  readonly tile: number;
  /** Tiles computed together, in row-major order. */
  readonly batches: readonly (readonly Tile[])[];
  readonly colorFix: ColorFix;
  /** Of the blended patches: four times `lr`. */
  readonly content: ImageSize;
  readonly result: ImageSize;
  /** Content → result; null where a result pixel is a content pixel. */
  readonly shrink: Resizer | null;
  /** LR → content, for the colour fix. */
  readonly style: Resizer;
  /** Source → result, for alpha. */
  readonly alpha: Resizer;
}

export const CHANNELS = 3;

export const resultSize = ({ height, width }: ImageSize, scale: number): ImageSize => ({
  height: Math.max(1, Math.round(height * scale)),
  width: Math.max(1, Math.round(width * scale)),
});

export function planHost(source: ImageSize, options: HostPlanOptions): HostPlan {
  const { tile, tileBatch, overlap, colorFix, scale = SCALE, ramp } = options;
  const result = resultSize(source, scale);
  const large = scale > SCALE;
  const lr = {
    height: Math.max(2, large ? Math.ceil(result.height / SCALE) : source.height),
    width: Math.max(2, large ? Math.ceil(result.width / SCALE) : source.width),
  };
  const padding = planPadding(lr.height, lr.width, tile, { even: true });
  const grid = evenGrid(padding, { tile, overlap, scale: SCALE, ...(ramp && { ramp }) });
  const batches: Tile[][] = [];
  for (let i = 0; i < grid.tiles.length; i += tileBatch) {
    batches.push(grid.tiles.slice(i, i + tileBatch));
  }
  const content = { height: SCALE * lr.height, width: SCALE * lr.width };
  // The content of an image one pixel wide is twice as wide as it should be, hence the ratio.
  const shrinkAxis = (side: 'height' | 'width'): Axis => ({
    from: content[side],
    to: result[side],
    ratio: (SCALE * source[side]) / result[side],
  });
  return {
    source,
    lr,
    enlargement: {
      height: large ? result.height / SCALE / source.height : 1,
      width: large ? result.width / SCALE / source.width : 1,
    },
    padding,
    grid,
    tile,
    batches,
    colorFix,
    content,
    result,
    shrink: scale < SCALE ? new Resizer(shrinkAxis('height'), shrinkAxis('width')) : null,
    style: resizer(lr, content),
    alpha: resizer(source, result),
  };
}

const resizer = (from: ImageSize, to: ImageSize): Resizer =>
  new Resizer({ from: from.height, to: to.height }, { from: from.width, to: to.width });

/** Content rows that the result's rows [first, end) are made of, colour fix included. */
export function contentWindow(
  { shrink, colorFix, content }: HostPlan,
  first: number,
  end: number,
): { readonly first: number; readonly end: number } {
  const window = shrink?.window(first, end);
  const low = window ? window.first : first;
  const high = window ? window.first + window.count : end;
  const halo = haloOf(colorFix);
  return { first: Math.max(0, low - halo), end: Math.min(content.height, high + halo) };
}

/** The first batch that a row of the result from `row` on is made of. */
export function firstBatchOf(plan: HostPlan, row: number): number {
  if (row >= plan.result.height) return plan.batches.length;
  const needed = contentWindow(plan, row, row + 1).first;
  const isNeeded = ({ y }: Tile): boolean => SCALE * (y + plan.tile - plan.padding.top) > needed;
  return plan.batches.findIndex((tiles) => tiles.some(isNeeded));
}
