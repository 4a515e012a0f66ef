/**
 * The VAE over tiles of an image, as diffusers' `enable_tiling` does it, so that memory does not
 * grow with the image. Another result than the whole image's: every tile has its own norms.
 *
 *   vaeEncodeTiled   image [N, H, W, 3→4] → gaussian [N, H/8, W/8, 2·latent] f32
 *   vaeDecodeTiled   latent [N, h, w, latent] → image [N, 8h, 8w, 3→4] f32
 *
 * Tiles start at 0, stride, 2·stride, …; the last ones are what is left, down to one latent. Row by
 * row each result is faded in from the one above and the one at the left, both already blended
 * themselves, and its first `keep` rows and columns are kept. For `encode` these are parameters of Gaussians.
 * https://github.com/huggingface/diffusers/blob/v0.30.3/src/diffusers/models/autoencoders/autoencoder_kl.py
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import { type GraphBuilder, lastAxis } from '../graph/builder.ts';
import type { Weights } from '../graph/weights.ts';
import type { Tensor } from '../graph/graph.ts';
import type { OpInputs } from '../graph/ops.ts';
import type { CropConstants } from '../kernels/crop.ts';
import { sizeOfImage } from './blocks.ts';
import type { VaeConfig } from './config.ts';
import { vaeDecode, vaeEncode } from './vae.ts';

export interface VaeTiling {
  /** Tile side in image pixels; larger images are encoded in tiles. */
  readonly image: number;
  /** Tile side in latent pixels; larger latents are decoded in tiles. */
  readonly latent: number;
  /** Share of a tile that its neighbour repeats. */
  readonly overlap: number;
}

/** Whether a side of the image is longer than a tile. */
function exceeds(x: Tensor, side: number): boolean {
  const { height, width } = sizeOfImage(x);
  return Math.max(height, width) > side;
}

export function vaeEncodeTiled(
  g: GraphBuilder,
  image: Tensor,
  w: Weights,
  { tiling, ...config }: VaeConfig & { readonly tiling: VaeTiling },
): Tensor {
  const { image: side, latent: resultSide, overlap } = tiling;
  const run = (tile: Tensor): Tensor => vaeEncode(g, tile, w, config);
  if (!exceeds(image, side)) return run(image);
  return inTiles(g, image, { path: `${w.path}.encoder`, side, resultSide, overlap, run });
}

export function vaeDecodeTiled(
  g: GraphBuilder,
  latent: Tensor,
  w: Weights,
  { tiling, ...config }: VaeConfig & { readonly tiling: VaeTiling },
): Tensor {
  const { latent: side, image: resultSide, overlap } = tiling;
  const run = (tile: Tensor): Tensor => vaeDecode(g, tile, w, config);
  if (!exceeds(latent, side)) return run(latent);
  return inTiles(g, latent, { path: `${w.path}.decoder`, side, resultSide, overlap, run });
}

interface Tiles {
  readonly path: string;
  /** Tile side, and side of what `run` makes of a whole tile. */
  readonly side: number;
  readonly resultSide: number;
  readonly overlap: number;
  readonly run: (tile: Tensor) => Tensor;
}

function inTiles(
  g: GraphBuilder,
  x: Tensor,
  { path, side, resultSide, overlap, run }: Tiles,
): Tensor {
  const { height, width } = sizeOfImage(x);
  const stride = Math.floor(side * (1 - overlap));
  const blend = Math.floor(resultSide * overlap);
  const keep = resultSide - blend;
  if (!(stride > 0) || stride * resultSide !== keep * side) {
    throw new RangeError(
      `VAE tiles of ${side} → ${resultSide} with overlap ${overlap} start every ${stride} but keep ${keep}: choose an overlap that leaves whole pixels`,
    );
  }

  const strips: Tensor[] = [];
  let above: readonly Tensor[] = [];
  for (const [i, top] of starts(height, stride).entries()) {
    const row: Tensor[] = [];
    for (const [j, left] of starts(width, stride).entries()) {
      const at = `${path}.tiles.${i}.${j}`;
      const window = { top, left, ...atMost(side, { height: height - top, width: width - left }) };
      const tile = run(crop(g, `${at}.crop`, x, window));
      row.push(blendEdges(g, `${at}.blend`, { tile, above: above[j], left: row.at(-1) }, blend));
    }
    const kept = row.map((tile, j) => {
      const window = { top: 0, left: 0, ...atMost(keep, sizeOfImage(tile)) };
      return crop(g, `${path}.tiles.${i}.${j}.keep`, tile, window);
    });
    strips.push(kept.reduce((a, b) => joinColumns(g, `${path}.tiles.${i}`, a, b)));
    above = row;
  }
  return strips.reduce((a, b) => joinRows(g, `${path}.tiles`, a, b));
}

/** 0, stride, 2·stride, … below `length`. */
const starts = (length: number, stride: number): number[] =>
  Array.from({ length: Math.ceil(length / stride) }, (_, i) => i * stride);

const atMost = (side: number, { height, width }: ImageSize): ImageSize => ({
  height: Math.min(side, height),
  width: Math.min(side, width),
});

function crop(g: GraphBuilder, path: string, x: Tensor, window: CropConstants): Tensor {
  const { height, width } = window;
  const size = sizeOfImage(x);
  if (height === size.height && width === size.width) return x;
  const shape = [x.shape[0] ?? 1, height, width, lastAxis(x)];
  return g.emit('crop', path, { x }, window, { dtype: x.dtype, shape });
}

function blendEdges(
  g: GraphBuilder,
  path: string,
  inputs: OpInputs<'blendEdges'>,
  overlap: number,
): Tensor {
  if (!inputs.above && !inputs.left) return inputs.tile;
  return g.emit('blendEdges', path, inputs, { overlap }, inputs.tile);
}

/** [N, H, Wa, C], [N, H, Wb, C] → [N, H, Wa + Wb, C]: rows of pixels as the channels of a column. */
function joinColumns(g: GraphBuilder, path: string, a: Tensor, b: Tensor): Tensor {
  const [n = 1, height = 1, , c = 1] = a.shape;
  const flat = (x: Tensor): Tensor => g.reshape(x, [n * height, sizeOfImage(x).width * c]);
  const width = sizeOfImage(a).width + sizeOfImage(b).width;
  return g.reshape(g.concatChannels(path, flat(a), flat(b)), [n, height, width, c]);
}

/** [N, Ha, W, C], [N, Hb, W, C] → [N, Ha + Hb, W, C]: whole images as the channels of a pixel. */
function joinRows(g: GraphBuilder, path: string, a: Tensor, b: Tensor): Tensor {
  const [n = 1, , width = 1, c = 1] = a.shape;
  const flat = (x: Tensor): Tensor => g.reshape(x, [n, sizeOfImage(x).height * width * c]);
  const height = sizeOfImage(a).height + sizeOfImage(b).height;
  return g.reshape(g.concatChannels(path, flat(a), flat(b)), [n, height, width, c]);
}
