/**
 * Fades a tile in from its neighbours: the first rows from the tile above, then the first columns
 * from the tile at the left (the order matters in the corner).
 *
 *   v[i, j] = above[Ha - r + i, j]·(1 - i/r) + tile[i, j]·i/r     for i < r = min(Ha, H, overlap), else tile[i, j]
 *   y[i, j] = left[i, Wl - s + j]·(1 - j/s) + v[i, j]·j/s         for j < s = min(Wl, W, overlap), else v[i, j]
 *
 *   tile    [N, H, W, C]    f16 or f32, C a multiple of 4
 *   above   [N, Ha, W, C]   optional; its LAST r rows lie over the tile's first
 *   left    [N, H, Wl, C]   optional; its LAST s columns lie over the tile's first
 *   y       like tile
 *
 * One invocation per four channels, one pass for both edges; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  type Shape,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { IMAGE_MAIN, imageGrid, imageOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface BlendEdgesInputs {
  readonly tile: TensorType;
  readonly above?: TensorType | undefined;
  readonly left?: TensorType | undefined;
}

export interface BlendEdgesConstants {
  /** Rows and columns to blend, where tile and neighbour have as many. */
  readonly overlap: number;
}

export function blendEdges(
  { tile, above, left }: BlendEdgesInputs,
  { overlap }: BlendEdgesConstants,
  target: Target,
): Kernel {
  const image = imageOf('tile', tile);
  const { n, height, width, channels } = image;
  const aboveHeight = above ? imageOf('above', above).height : 0;
  const leftWidth = left ? imageOf('left', left).width : 0;
  if (above) expectShape('above', above, [n, aboveHeight, width, channels]);
  if (left) expectShape('left', left, [n, height, leftWidth, channels]);

  const rows = Math.min(aboveHeight, height, overlap);
  const columns = Math.min(leftWidth, width, overlap);
  const params = {
    height: u32(height),
    width: u32(width),
    groups: u32(image.groups),
    above_height: u32(aboveHeight),
    left_width: u32(leftWidth),
    rows: u32(rows),
    columns: u32(columns),
  };
  const neighbours = [above && ' + above', left && ' + left'].filter(Boolean).join('');
  const share = (edge: TensorType | undefined, used: number, of: number): number =>
    edge ? (byteLength(edge) * used) / of : 0;
  return {
    name: 'blendEdges',
    variant: `${format(tile)}${neighbours}`,
    bindings: { tile: 1, ...(above && { above: 2 }), ...(left && { left: 3 }) },
    params,
    output: { binding: 4, type: tile },
    workgroups: imageGrid(image),
    cost: {
      flops: 4 * n * channels * (rows * width + columns * height),
      bytes:
        2 * byteLength(tile) + share(above, rows, aboveHeight) + share(left, columns, leftWidth),
    },
    wgsl: wgsl`
${enableF16(target, tile.dtype, above?.dtype, left?.dtype)}
${paramsWgsl(params)}
${readWgsl('tile', 1, tile.dtype, target)}
#if ${above !== undefined}
${above ? readWgsl('above', 2, above.dtype, target) : ''}
#endif
#if ${left !== undefined}
${left ? readWgsl('left', 3, left.dtype, target) : ''}
#endif
${writeWgsl('y', 4, tile.dtype, target)}

fn element(at: Position) {
  var v = load_tile(at.i);
#if ${above !== undefined}
  if (at.y < params.rows) {
    let row = at.n * params.above_height + params.above_height - params.rows + at.y;
    let share = f32(at.y) / f32(params.rows);
    let other = load_above((row * params.width + at.x) * params.groups + at.group);
    v = other * (1.0 - share) + v * share;
  }
#endif
#if ${left !== undefined}
  if (at.x < params.columns) {
    let row = at.n * params.height + at.y;
    let column = params.left_width - params.columns + at.x;
    let share = f32(at.x) / f32(params.columns);
    let other = load_left((row * params.left_width + column) * params.groups + at.group);
    v = other * (1.0 - share) + v * share;
  }
#endif
  store_y(at.i, v);
}
${IMAGE_MAIN}
`,
  };
}

export interface BlendEdgesData {
  readonly tile: Float32Array;
  readonly above?: Float32Array | undefined;
  readonly left?: Float32Array | undefined;
}

/** `aboveHeight` and `leftWidth` are 0 where that neighbour is absent. */
export function blendEdgesReference(
  { tile, above, left }: BlendEdgesData,
  [n = 0, h = 0, w = 0, c = 0]: Shape,
  {
    overlap,
    aboveHeight,
    leftWidth,
  }: BlendEdgesConstants & { readonly aboveHeight: number; readonly leftWidth: number },
): Float32Array {
  const y = Float64Array.from(tile);
  const at = (image: number, i: number, j: number, height: number, width: number): number =>
    ((image * height + i) * width + j) * c;
  const fade = (to: number, other: Float32Array | undefined, from: number, share: number): void => {
    for (let k = 0; k < c; k++) {
      y[to + k] = (other?.[from + k] ?? 0) * (1 - share) + (y[to + k] ?? 0) * share;
    }
  };
  const rows = Math.min(aboveHeight, h, overlap);
  const columns = Math.min(leftWidth, w, overlap);
  for (let image = 0; image < n; image++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < w; j++) {
        const from = at(image, aboveHeight - rows + i, j, aboveHeight, w);
        fade(at(image, i, j, h, w), above, from, i / rows);
      }
    }
    for (let i = 0; i < h; i++) {
      for (let j = 0; j < columns; j++) {
        const from = at(image, i, leftWidth - columns + j, h, leftWidth);
        fade(at(image, i, j, h, w), left, from, j / columns);
      }
    }
  }
  return Float32Array.from(y);
}
