/**
 * 2-D convolution over channels-last images, zero-padded, with the epilogue fused.
 *
 *   y[n, oy, ox, co] = act(Σ over ky, kx, ci of
 *       x[n, oy·stride + ky - top, ox·stride + kx - left, ci] · weight[ky, kx, ci, co]
 *       + bias[co] + shift[n, co]) + residual[n, oy, ox, co]
 *
 *   x         [N, H, W, Ci]        f16 or f32
 *   x2?       [N, H, W, C2]        like x, whose channels follow those of x: then Ci is of both
 *   weight    [KH, KW, Ci, Co]     f16 or f32, Co contiguous
 *   bias?     [Co]                 f32
 *   shift?    [N or 1, Co]         f32, the time embedding of a residual block
 *   residual? [N, Ho, Wo, Co]      f16 or f32
 *   y         [N, Ho, Wo, Co]      f16 or f32, Ho = ⌊(H + top + bottom - KH) / stride⌋ + 1
 *
 * With stats [N, 2, Ci] and beta [Ci], x is act((x - mean)·scale + beta) of what is given; so it is with
 * moments and affine (norm-groups.ts), which make the statistics here; padding stays zero. Padding may
 * be negative, which leaves rows or columns of x out. Ci and Co are multiples of 4.
 *
 * 2·N·Ho·Wo·KH·KW·Ci·Co operations and no im2col buffer; what bounds it: implicit-gemm.ts.
 */
import {
  type DType,
  expectShape,
  format,
  type Kernel,
  ShapeError,
  type Target,
  type TensorType,
} from '../engine/kernel.ts';
import { type Activation, activate } from './epilogue.ts';
import {
  type ImplicitGemm,
  inputNorms,
  type NormConstants,
  type NormInputs,
  plainType,
} from './gemm-program.ts';
import { implicitGemm } from './implicit-gemm.ts';

export interface Conv2dInputs extends NormInputs {
  readonly x: TensorType;
  /** Channels that follow those of x, which is Ci then; x takes no stats. */
  readonly x2?: TensorType | undefined;
  readonly weight: TensorType;
  readonly bias?: TensorType | undefined;
  readonly shift?: TensorType | undefined;
  readonly residual?: TensorType | undefined;
}

export interface Padding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export interface Conv2dConstants extends NormConstants {
  readonly stride?: 1 | 2;
  /** @default none */
  readonly padding?: Padding;
  readonly activation?: Activation;
  /** Storage of y. @default that of x */
  readonly dtype?: DType;
  /** Channels per entry of y's moments, at most (moments.ts). GPUs. @default no moments */
  readonly momentChannels?: number;
}

const NO_PADDING: Padding = { top: 0, left: 0, bottom: 0, right: 0 };

export const conv2d = (inputs: Conv2dInputs, constants: Conv2dConstants, target: Target): Kernel =>
  implicitGemm(conv2dGemm(inputs, constants), target);

/** The convolution as a product. */
export function conv2dGemm(
  { x, x2, weight, bias, shift, residual, ...normInputs }: Conv2dInputs,
  {
    stride = 1,
    padding = NO_PADDING,
    activation = 'none',
    dtype = x.dtype,
    momentChannels,
    ...normConstants
  }: Conv2dConstants,
): ImplicitGemm {
  const [batch = 0, height = 0, width = 0, own = 0] = x.shape;
  const ci = own + (x2?.shape.at(-1) ?? 0);
  const { plain, blocks } = plainType(weight, 4);
  const [tapsY = 0, tapsX = 0, , co = 0] = plain.shape;
  expectShape('x', x, [batch, height, width, own]);
  if (x2) expectShape('x2', x2, [batch, height, width, ci - own]);
  expectShape('weight', plain, [tapsY, tapsX, ci, co]);
  const pixels = {
    height: Math.floor((height + padding.top + padding.bottom - tapsY) / stride) + 1,
    width: Math.floor((width + padding.left + padding.right - tapsX) / stride) + 1,
  };
  if (!(batch > 0 && tapsY > 0 && tapsX > 0 && pixels.height > 0 && pixels.width > 0)) {
    throw new ShapeError(
      `x is ${format(x)}, smaller than weight ${format(weight)} with padding ${JSON.stringify(padding)}`,
    );
  }
  const output: TensorType = { dtype, shape: [batch, pixels.height, pixels.width, co] };
  if (bias) expectShape('bias', bias, [co]);
  if (shift) expectShape('shift', shift, [shift.shape[0] === 1 ? 1 : batch, co]);
  if (residual) expectShape('residual', residual, output.shape);

  return {
    name: 'conv2d',
    x,
    x2,
    ...inputNorms(x, { x2, ...normInputs }, normConstants),
    weight,
    blocks,
    epilogue: { bias, shift, residual },
    activation,
    output,
    momentChannels,
    batch,
    input: { height, width, channels: ci },
    pixels,
    channels: co,
    taps: { y: tapsY, x: tapsX },
    stride,
    padding,
    phases: 1,
  };
}

export interface Conv2dReferenceInputs {
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly bias?: Float32Array | undefined;
  readonly shift?: Float32Array | undefined;
  readonly residual?: Float32Array | undefined;
}

export function conv2dReference(
  { x, weight, bias, shift, residual }: Conv2dReferenceInputs,
  shapes: { readonly x: readonly number[]; readonly weight: readonly number[] },
  { stride = 1, padding = NO_PADDING, activation = 'none' }: Conv2dConstants,
): Float32Array {
  const [batch = 0, height = 0, width = 0, ci = 0] = shapes.x;
  const [kh = 0, kw = 0, , co = 0] = shapes.weight;
  const ho = Math.floor((height + padding.top + padding.bottom - kh) / stride) + 1;
  const wo = Math.floor((width + padding.left + padding.right - kw) / stride) + 1;
  const y = new Float32Array(batch * ho * wo * co);
  const shiftStride = shift && shift.length > co ? co : 0;
  const sums = new Float64Array(co);
  for (let pixel = 0; pixel < batch * ho * wo; pixel++) {
    const n = Math.floor(pixel / (ho * wo));
    const oy = Math.floor(pixel / wo) % ho;
    const ox = pixel % wo;
    sums.fill(0);
    for (let tap = 0; tap < kh * kw; tap++) {
      const iy = oy * stride + Math.floor(tap / kw) - padding.top;
      const ix = ox * stride + (tap % kw) - padding.left;
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      for (let k = 0; k < ci; k++) {
        const a = x[((n * height + iy) * width + ix) * ci + k] ?? 0;
        const row = (tap * ci + k) * co;
        for (let c = 0; c < co; c++) sums[c] = (sums[c] ?? 0) + a * (weight[row + c] ?? 0);
      }
    }
    for (let c = 0; c < co; c++) {
      const i = pixel * co + c;
      const sum = (sums[c] ?? 0) + (bias?.[c] ?? 0) + (shift?.[n * shiftStride + c] ?? 0);
      y[i] = activate(activation, sum) + (residual?.[i] ?? 0);
    }
  }
  return y;
}
