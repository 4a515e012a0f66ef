/**
 * 3×3 convolution of an image upsampled twice by nearest neighbour, without the upsampled image.
 *
 *   y = act(conv3x3(nearest2x(x), padding 1) + bias)
 *
 *   x      [N, H, W, Ci]           f16 or f32
 *   weight [2, 2, 2, 2, Ci, Co]    f16 or f32: phase y, phase x, tap y, tap x; Co contiguous
 *   bias?  [Co]                    f32
 *   y      [N, 2H, 2W, Co]         f16 or f32
 *
 * Output pixels of one phase (parity of row and column) see at most 2×2 distinct input pixels, so
 * taps that fall on the same one are summed beforehand (weights/phase-weights.ts): 4 products in
 * place of 9, 32·N·H·W·Ci·Co operations (what bounds them: implicit-gemm.ts). Phase 0 reads rows y - 1
 * and y, phase 1 rows y and y + 1; columns likewise.
 *
 * `padding` counts rows of zeros above and below x. A window on rows of a larger image has none
 * where that image goes on: y then has 2·(H + top + bottom - 2) rows, and rows of x beyond what those
 * need make the padding negative.
 */
import {
  type DType,
  expectShape,
  format,
  type Kernel,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
} from '../engine/kernel.ts';
import { type Activation, activate } from './epilogue.ts';
import { type ImplicitGemm, plainType } from './gemm-program.ts';
import { implicitGemm } from './implicit-gemm.ts';

export interface UpsampleConv2dInputs {
  readonly x: TensorType;
  readonly weight: TensorType;
  readonly bias?: TensorType | undefined;
}

export interface UpsampleConv2dConstants {
  readonly activation?: Activation;
  /** @default 1 and 1 */
  readonly padding?: { readonly top: number; readonly bottom: number };
  /** Storage of y. @default that of x */
  readonly dtype?: DType;
  /** Channels per entry of y's moments, at most (moments.ts). GPUs. @default no moments */
  readonly momentChannels?: number;
}

const FRAME = { top: 1, bottom: 1 } as const;

export const upsampleConv2d = (
  inputs: UpsampleConv2dInputs,
  constants: UpsampleConv2dConstants,
  target: Target,
): Kernel => implicitGemm(upsampleConv2dGemm(inputs, constants), target);

/** The four convolutions as a product. */
export function upsampleConv2dGemm(
  { x, weight, bias }: UpsampleConv2dInputs,
  {
    activation = 'none',
    padding = FRAME,
    dtype = x.dtype,
    momentChannels,
  }: UpsampleConv2dConstants,
): ImplicitGemm {
  const [batch = 0, height = 0, width = 0, ci = 0] = x.shape;
  const rows = height + padding.top + padding.bottom - 2;
  const { plain, blocks } = plainType(weight, 6);
  const co = plain.shape.at(-1) ?? 0;
  expectShape('x', x, [batch, height, width, ci]);
  expectShape('weight', plain, [2, 2, 2, 2, ci, co]);
  if (bias) expectShape('bias', bias, [co]);
  if (!(sizeOf(x.shape) > 0 && rows > 0)) {
    throw new ShapeError(`x is ${format(x)}, expected at least one row and column of pixels`);
  }

  return {
    name: 'upsampleConv2d',
    x,
    weight,
    blocks,
    epilogue: { bias },
    activation,
    output: { dtype, shape: [batch, 2 * rows, 2 * width, co] },
    momentChannels,
    batch,
    input: { height, width, channels: ci },
    pixels: { height: rows, width },
    channels: co,
    taps: { y: 2, x: 2 },
    stride: 1,
    padding: { top: padding.top, left: 1 },
    phases: 4,
  };
}

export function upsampleConv2dReference(
  { x, weight, bias }: { x: Float32Array; weight: Float32Array; bias?: Float32Array | undefined },
  shapes: { readonly x: readonly number[]; readonly weight: readonly number[] },
  { activation = 'none' }: UpsampleConv2dConstants,
): Float32Array {
  const [batch = 0, height = 0, width = 0, ci = 0] = shapes.x;
  const co = shapes.weight.at(-1) ?? 0;
  const y = new Float32Array(batch * 4 * height * width * co);
  const sums = new Float64Array(co);
  for (let pixel = 0; pixel < batch * 4 * height * width; pixel++) {
    const n = Math.floor(pixel / (4 * height * width));
    const oy = Math.floor(pixel / (2 * width)) % (2 * height);
    const ox = pixel % (2 * width);
    const phase = (oy % 2) * 2 + (ox % 2);
    sums.fill(0);
    for (let tap = 0; tap < 4; tap++) {
      const iy = Math.floor((oy - 1) / 2) + Math.floor(tap / 2);
      const ix = Math.floor((ox - 1) / 2) + (tap % 2);
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      for (let k = 0; k < ci; k++) {
        const a = x[((n * height + iy) * width + ix) * ci + k] ?? 0;
        const row = ((phase * 4 + tap) * ci + k) * co;
        for (let c = 0; c < co; c++) sums[c] = (sums[c] ?? 0) + a * (weight[row + c] ?? 0);
      }
    }
    for (let c = 0; c < co; c++) {
      y[pixel * co + c] = activate(activation, (sums[c] ?? 0) + (bias?.[c] ?? 0));
    }
  }
  return y;
}
