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
 * The parts are added in their order, so results are the same bits on every run. It costs S times y in
 * f32, written and read again. The first kernel is bound like every product (implicit-gemm.ts), the
 * reduction by memory: one invocation per four channels.
 */
import {
  byteLength,
  type DType,
  format,
  type Kernel,
  paramsWgsl,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, rowsOf, vectorsOf } from './elementwise.ts';
import { type Activation, activate } from './epilogue.ts';
import type { EpilogueInputs, NormInputs } from './gemm-program.ts';
import { implicitGemm } from './implicit-gemm.ts';
import { gcd, MOMENTS } from './moments.ts';
import { productEpilogue } from './product-epilogue.ts';
import { gemmOf, type Product } from './product.ts';
import { enableF16, readWgsl } from './storage.ts';
import { mergeMoments, MOMENTS_BINDING, momentVectors, tileMomentsWgsl } from './tile-moments.ts';

export interface GemmPartialInputs extends NormInputs {
  readonly x: TensorType;
  readonly x2?: TensorType | undefined;
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
    {
      ...gemm,
      name: 'gemmPartial',
      epilogue: {},
      activation: 'none',
      output,
      momentChannels: undefined,
      splits,
    },
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
  /** Channels per entry of y's moments, at most (moments.ts); y is [N, ..., C]. @default no moments */
  readonly momentChannels?: number;
}

export function gemmReduce(
  { partial, ...inputs }: GemmReduceInputs,
  { activation = 'none', dtype, momentChannels }: GemmReduceConstants,
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
  const { used } = epilogue;
  const tiles = momentChannels === undefined ? undefined : reduceMoments(y, momentChannels);
  const params = {
    vectors: u32(vectors),
    splits: u32(splits),
    groups: u32(channels / 4),
    image_vectors: u32(vectors / images),
    ...epilogue.params,
    ...tiles?.params,
  };
  return {
    name: 'gemmReduce',
    variant: `${format(partial)} → ${dtype}${epilogue.variant}${tiles ? ' + moments' : ''}`,
    bindings: { partial: 1, ...epilogue.bindings },
    params,
    output: epilogue.output,
    ...(tiles && { moments: { binding: MOMENTS_BINDING, type: tiles.type } }),
    workgroups: tiles?.workgroups ?? flatGrid(vectors),
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
fn element(i: u32)${tiles ? ' -> vec4f' : ''} {
  var sum = load_partial(i);
  for (var s = 1u; s < params.splits; s++) { sum += load_partial(s * params.vectors + i); }
  ${tiles ? 'return' : '_ ='} finish(i, sum + start(i / params.image_vectors, i % params.groups));
}
${tiles?.wgsl ?? FLAT_MAIN}
`,
  };
}

/** Vectors and pixels of the tiles whose moments are taken: as many invocations, one value each. */
const TILE = { columns: 16, rows: 16 } as const;

/** The entry point that takes tiles of y [N, ..., C] in place of single vectors. */
function reduceMoments({ shape }: TensorType, channels: number) {
  const [images = 1] = shape;
  const own = shape.at(-1) ?? 0;
  const pixels = sizeOf(shape) / images / own;
  const width = gcd(gcd(channels, 4 * TILE.columns), own);
  const [entries, chunks] = [own / width, Math.ceil(pixels / TILE.rows)];
  const tile = {
    columns: TILE.columns,
    parts: TILE.rows,
    slots: TILE.rows / 2,
    threads: TILE.columns * TILE.rows,
    scratch: 'moment_tile',
  };
  const column = { mean: 'mean', m2: 'm2', column: 'local.x' };
  const type: TensorType = { dtype: 'f32', shape: [images, chunks, MOMENTS, entries] };
  return {
    type,
    params: {
      pixels: u32(pixels),
      moment_width: u32(width),
      moment_entries: u32(entries),
      moment_chunks: u32(chunks),
    },
    workgroups: [Math.ceil(own / 4 / TILE.columns), chunks, images] as const,
    wgsl: `
var<workgroup> moment_tile: array<vec4f, ${momentVectors(tile)}>;
${tileMomentsWgsl(tile)}

@compute @workgroup_size(${TILE.columns}, ${TILE.rows})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let pixel = workgroup.y * ${TILE.rows}u + local.y;
  let c = workgroup.x * ${TILE.columns}u + local.x;
  var count = 0f;
  var mean = vec4f();
  var m2 = vec4f();
  if (pixel < params.pixels && c < params.groups) {
    count = 1f;
    mean = element((workgroup.z * params.pixels + pixel) * params.groups + c);
  }
${mergeMoments(tile, 'local.y', [column])}
  store_moments(workgroup.z * params.moment_chunks + workgroup.y, 0u, workgroup.x * ${4 * TILE.columns}u, ${4 * TILE.columns}u, thread);
}`,
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
