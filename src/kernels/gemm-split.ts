/**
 * A product in two kernels, for outputs so small that their tiles would leave most of a GPU idle: the
 * inner dimension is cut into parts, each part's sums are stored, then added up.
 *
 *   gemmPartial   partial[s, ...] = Σ over steps s·steps/S to (s + 1)·steps/S of x · weight
 *   gemmReduce    y = act(Σ over s of partial[s, ...] + bias + shift) + residual
 *
 *   x, weight   those of `linear`, `conv2d` or `upsampleConv2d`, and what normalizes x there
 *   partial     [S, ...]   f32, after S the shape of y
 *   bias?       [C]        f32
 *   shift?      [N or 1, C]   f32
 *   residual?   like y     f16 or f32
 *   y           [..., C]   f16 or f32
 *
 * The parts are added in their order, so results are the same bits on every run. The reduction is
 * bound by memory: one invocation per four channels.
 */
import {
  byteLength,
  type DType,
  format,
  type Kernel,
  paramsWgsl,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, rowsOf, vectorsOf } from './elementwise.ts';
import { type Activation, activate } from './epilogue.ts';
import type { EpilogueInputs } from './gemm-program.ts';
import { implicitGemm } from './implicit-gemm.ts';
import { productEpilogue } from './product-epilogue.ts';
import { gemmOf, type Product } from './product.ts';
import { enableF16, readWgsl } from './storage.ts';

export interface GemmPartialInputs {
  readonly x: TensorType;
  /** With beta: x is normalized as it is read. */
  readonly stats?: TensorType | undefined;
  readonly beta?: TensorType | undefined;
  readonly weight: TensorType;
}

export interface GemmPartialConstants {
  /** What the parts are of; its epilogue is left to gemmReduce. */
  readonly product: Product;
  /** At least 2. */
  readonly splits: number;
}

export function gemmPartial(
  inputs: GemmPartialInputs,
  { product, splits }: GemmPartialConstants,
  target: Target,
): Kernel {
  const gemm = gemmOf(product, inputs);
  const output: TensorType = { dtype: 'f32', shape: [splits, ...gemm.output.shape] };
  return implicitGemm(
    { ...gemm, name: 'gemmPartial', epilogue: {}, activation: 'none', output, splits },
    target,
  );
}

export interface GemmReduceInputs extends EpilogueInputs {
  readonly partial: TensorType;
}

export interface GemmReduceConstants {
  readonly activation?: Activation;
  /** Storage of y. */
  readonly dtype: DType;
}

export function gemmReduce(
  { partial, ...inputs }: GemmReduceInputs,
  { activation = 'none', dtype }: GemmReduceConstants,
  target: Target,
): Kernel {
  const [splits = 0, ...shape] = partial.shape;
  const { channels } = rowsOf('partial', partial);
  const [images = 1] = shape;
  if (partial.dtype !== 'f32' || shape.length < 1 || splits < 1) {
    throw new ShapeError(`partial is ${format(partial)}, expected f32 [S,...,C]`);
  }
  const y: TensorType = { dtype, shape };
  const epilogue = productEpilogue(inputs, { y, activation, target });
  const vectors = vectorsOf('y', y);
  const params = {
    vectors: u32(vectors),
    splits: u32(splits),
    groups: u32(channels / 4),
    image_vectors: u32(vectors / images),
    ...epilogue.params,
  };
  const { used } = epilogue;
  return {
    name: 'gemmReduce',
    variant: `${format(partial)} → ${dtype}${epilogue.variant}`,
    bindings: { partial: 1, ...epilogue.bindings },
    params,
    output: epilogue.output,
    workgroups: flatGrid(vectors),
    cost: {
      // An addition for every part and every input; `used` has y besides.
      flops: 4 * vectors * (splits + used.length - 1),
      bytes: [partial, ...used].reduce((sum, type) => sum + byteLength(type), 0),
    },
    wgsl: `
${enableF16(target, ...used.map((type) => type.dtype))}
${paramsWgsl(params)}
${readWgsl('partial', 1, 'f32', target)}
${epilogue.wgsl}
fn element(i: u32) {
  var sum = load_partial(i);
  for (var s = 1u; s < params.splits; s++) { sum += load_partial(s * params.vectors + i); }
  finish(i, sum + start(i / params.image_vectors, i % params.groups));
}
${FLAT_MAIN}
`,
  };
}

export function gemmReduceReference(
  {
    partial,
    bias,
    shift,
    residual,
  }: {
    readonly partial: Float32Array;
    readonly bias?: Float32Array | undefined;
    readonly shift?: Float32Array | undefined;
    readonly residual?: Float32Array | undefined;
  },
  [splits = 1, images = 1, ...rest]: readonly number[],
  { activation = 'none' }: Pick<GemmReduceConstants, 'activation'>,
): Float32Array {
  const size = partial.length / splits;
  const channels = rest.at(-1) ?? images;
  const shiftStride = shift && shift.length > channels ? channels : 0;
  return new Float32Array(size).map((_, i) => {
    let sum = 0;
    for (let s = 0; s < splits; s++) sum += partial[s * size + i] ?? 0;
    const n = Math.floor(i / (size / images));
    const c = i % channels;
    sum += (bias?.[c] ?? 0) + (shift?.[n * shiftStride + c] ?? 0);
    return activate(activation, sum) + (residual?.[i] ?? 0);
  });
}
