/**
 * The output of a convolution by Winograd's F(2×2, 3×3) with the epilogue fused, see winograd.ts.
 *
 *   y[2×2 pixels of tile t, c] = act(Aᵀ m[·, t, c] A + bias[c] + shift[n, c]) + residual
 *
 *   m           [16, T, C]        f16 or f32; T = N·⌈H/2⌉·⌈W/2⌉
 *   bias?       [C]               f32
 *   shift?      [N or 1, C]       f32
 *   residual?   [N, H, W, C]      f16 or f32
 *   y           [N, H, W, C]      f16 or f32, C a multiple of 4
 *
 * One invocation per tile and four channels, all in registers; memory-bound.
 */
import {
  byteLength,
  type DType,
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, imageOf } from './elementwise.ts';
import { type Activation, activate } from './epilogue.ts';
import type { EpilogueInputs } from './gemm-program.ts';
import { productEpilogue } from './product-epilogue.ts';
import { enableF16, readWgsl } from './storage.ts';
import { A, four, POINTS, tilesOf, transformed } from './winograd.ts';

export interface WinogradOutputInputs extends EpilogueInputs {
  readonly m: TensorType;
}

export interface WinogradOutputConstants {
  /** [N, Ho, Wo, Co] */
  readonly shape: readonly number[];
  readonly activation?: Activation;
  /** Storage of y. */
  readonly dtype: DType;
}

export function winogradOutput(
  { m, ...inputs }: WinogradOutputInputs,
  { shape, activation = 'none', dtype }: WinogradOutputConstants,
  target: Target,
): Kernel {
  const y: TensorType = { dtype, shape };
  const { n, height, width, channels, groups } = imageOf('y', y);
  const tiles = tilesOf(height, width);
  expectShape('m', m, [POINTS, n * tiles.rows * tiles.columns, channels]);
  const epilogue = productEpilogue(inputs, { y, activation, target });
  const vectors = n * tiles.rows * tiles.columns * groups;
  const params = {
    vectors: u32(vectors),
    groups: u32(groups),
    rows: u32(tiles.rows),
    columns: u32(tiles.columns),
    height: u32(height),
    width: u32(width),
    ...epilogue.params,
  };
  const { used } = epilogue;
  return {
    name: 'winogradOutput',
    variant: `${format(m)} → ${format(y)}${epilogue.variant}`,
    bindings: { m: 1, ...epilogue.bindings },
    params,
    output: epilogue.output,
    workgroups: flatGrid(vectors),
    cost: {
      flops: 4 * vectors * 24,
      bytes: [m, ...used].reduce((sum, type) => sum + byteLength(type), 0),
    },
    wgsl: `
${enableF16(target, m.dtype, ...used.map((type) => type.dtype))}
${paramsWgsl(params)}
${readWgsl('m', 1, m.dtype, target)}
${epilogue.wgsl}
fn put(image: u32, y: u32, x: u32, group: u32, sum: vec4f) {
  if (y >= params.height || x >= params.width) { return; }
  _ = finish(((image * params.height + y) * params.width + x) * params.groups + group, sum);
}

fn element(i: u32) {
  let tile = i / params.groups;
  let group = i - tile * params.groups;
  let line = tile / params.columns;
  let image = line / params.rows;
  let y = 2u * (line - image * params.rows);
  let x = 2u * (tile - line * params.columns);
  let begin = start(image, group);
${four((r) => four((c) => `  let m${r}${c} = load_m(${4 * r + c}u * params.vectors + i);`))}
${four(
  (c) => `  let upper${c} = m0${c} + m1${c} + m2${c};
  let lower${c} = m1${c} - m2${c} - m3${c};`,
)}
  put(image, y, x, group, begin + upper0 + upper1 + upper2);
  put(image, y, x + 1u, group, begin + upper1 - upper2 - upper3);
  put(image, y + 1u, x, group, begin + lower0 + lower1 + lower2);
  put(image, y + 1u, x + 1u, group, begin + lower1 - lower2 - lower3);
}
${FLAT_MAIN}
`,
  };
}

export function winogradOutputReference(
  {
    m,
    bias,
    shift,
    residual,
  }: {
    readonly m: Float32Array;
    readonly bias?: Float32Array | undefined;
    readonly shift?: Float32Array | undefined;
    readonly residual?: Float32Array | undefined;
  },
  { shape, activation = 'none' }: Omit<WinogradOutputConstants, 'dtype'>,
): Float32Array {
  const [n = 0, height = 0, width = 0, channels = 0] = shape;
  const { rows, columns } = tilesOf(height, width);
  const size = n * rows * columns * channels;
  const shiftStride = shift && shift.length > channels ? channels : 0;
  return new Float32Array(n * height * width * channels).map((_, i) => {
    const c = i % channels;
    const x = Math.floor(i / channels) % width;
    const line = Math.floor(i / (channels * width));
    const [image, y] = [Math.floor(line / height), line % height];
    const tile = (image * rows + (y >> 1)) * columns + (x >> 1);
    const point = (r: number, k: number): number =>
      m[(4 * r + k) * size + tile * channels + c] ?? 0;
    const sum = transformed(A, point, y & 1, x & 1);
    const start = (bias?.[c] ?? 0) + (shift?.[image * shiftStride + c] ?? 0);
    return activate(activation, sum + start) + (residual?.[i] ?? 0);
  });
}
