/**
 * The small graphs around the networks, one per image size: LR → padded image, image → tiles,
 * tiles → blended image, blended image → finished one.
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { sizeOfImage } from './blocks.ts';
import type { PaddingPlan } from './padding.ts';
import { SCALE } from './tile-graph.ts';

export type ColorFix = 'none' | 'wavelet' | 'ycbcr';

/** Dilations of the five low-pass passes of the wavelet colour fix. */
const WAVELET_LEVELS = [1, 2, 4, 8, 16];

/** The external that holds the image to be tiled: the LR itself where nothing is padded. */
const paddedName = ({ passes }: PaddingPlan): 'lr' | 'image' =>
  passes.length > 0 ? 'image' : 'lr';

/** `lr` [1, H, W, 4] → `image`, the same reflect-padded; null where nothing is. */
export function padGraph(size: ImageSize, { passes }: PaddingPlan): Graph | null {
  if (passes.length === 0) return null;
  const g = new GraphBuilder({ precision: 'f32' });
  let padded: Tensor = g.external('lr', image(size));
  for (const [i, pass] of passes.entries()) {
    const [, h = 0, w = 0] = padded.shape;
    const larger = { height: h + pass.top + pass.bottom, width: w + pass.left + pass.right };
    padded = g.emit('reflectPad', `pad.${i}`, { x: padded }, pass, image(larger));
  }
  g.output('image', padded);
  return g.build();
}

/** The padded image and tile `origins` (LR pixels) → `tiles` f32 [B, P, P, 4], rounded to f16. */
export function cropGraph(padding: PaddingPlan, batch: number, tile: number): Graph {
  const g = new GraphBuilder({ precision: 'f32' });
  const source = g.external(paddedName(padding), image(padding));
  const origins = g.external('origins', { dtype: 'u32', shape: [batch, 2] });
  const tiles = g.emit(
    'cropTiles',
    'tiles',
    { image: source, origins },
    // The official pipeline feeds float16 pixels to every network, also in float32.
    { tile, quantize: true },
    { dtype: 'f32', shape: [batch, tile, tile, 4] },
  );
  g.output('tiles', tiles);
  return g.build();
}

/**
 * Adds `patch` [B, 4P, 4P, 4] times its normalised weights to `content` [1, 4H, 4W, 4], the result
 * without padding: `targets` [B, 2] is where each tile lies in it, in LR pixels, and wraps below
 * zero (u32) where padding was put on top or left.
 */
export function blendGraph(size: ImageSize, batch: number, tile: number): Graph {
  const g = new GraphBuilder({ precision: 'f32' });
  const side = tile * SCALE;
  const patch = g.external('patch', { dtype: 'f32', shape: [batch, side, side, 4] });
  const origins = g.external('targets', { dtype: 'u32', shape: [batch, 2] });
  const weightsY = g.external('weightsY', { dtype: 'f32', shape: [batch, side] });
  const weightsX = g.external('weightsX', { dtype: 'f32', shape: [batch, side] });
  const content = g.external('content', resultType(size));
  for (let index = 0; index < batch; index++) {
    const inputs = { patches: patch, origins, weightsY, weightsX };
    const constants = { index, scale: SCALE, ...sizeOfImage(content) };
    g.emit('blendTile', `blend.${index}`, inputs, constants, content, { into: content });
  }
  return g.build();
}

export interface FinishOptions {
  readonly colorFix: ColorFix;
  readonly padding: PaddingPlan;
  /**
   * The style image is the padded LR squeezed onto the cropped result, as the official code has
   * it: misaligned whenever anything was padded.
   */
  readonly official: boolean;
}

/**
 * `content` [1, 4H, 4W, 4] → colour fix against the LR image, clamp → `final` f32 [1, 4H, 4W, 4]
 * (named, and an output).
 *
 * Wavelet: content − low(content) + low(style) = content + low(style − content), low being linear.
 */
export function finishGraph(
  size: ImageSize,
  { padding, colorFix, official }: FinishOptions,
): Graph {
  const g = new GraphBuilder({ precision: 'f32' });
  const type = resultType(size);
  const content = g.external('content', type);
  const fixed = colorFix === 'none' ? content : fixColors();
  const final = g.affine('final', { a: fixed }, { alpha: 1, min: 0, max: 1 });
  g.name('final', final, 3);
  g.output('final', final);
  return g.build();

  function fixColors(): Tensor {
    const lr = official
      ? g.external(paddedName(padding), image(padding))
      : g.external('lr', image(size));
    const style = g.emit('bicubicAntialias', 'style', { x: lr }, sizeOfImage(type), type);
    if (colorFix === 'ycbcr') return g.emit('ycbcrFix', 'ycbcr', { content, style }, {}, type);
    let low = g.affine('wavelet.difference', { a: style, b: content }, { alpha: 1, beta: -1 });
    for (const dilation of WAVELET_LEVELS) {
      low = g.emit('waveletLow', `wavelet.${dilation}`, { x: low }, { dilation }, type);
    }
    return g.affine('wavelet', { a: content, b: low }, { alpha: 1, beta: 1 });
  }
}

export const image = ({ height, width }: ImageSize) =>
  ({ dtype: 'f32', shape: [1, height, width, 4] }) as const;

export const resultType = ({ height, width }: ImageSize) =>
  image({ height: height * SCALE, width: width * SCALE });
