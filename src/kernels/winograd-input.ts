/**
 * Images for Winograd's F(2×2, 3×3), see winograd.ts.
 *
 *   v[4·i + j, t, c] = (Bᵀ d B)[i, j]     d: the 4×4 pixels of x around output tile t, zero outside
 *
 *   x   [N, H, W, C]     f16 or f32, C a multiple of 4
 *   stats?, beta?        x is normalized as it is read, as `conv2d` does; zero padding stays zero
 *   v   [16, T, C]       f16 or f32; T = N·⌈Ho/2⌉·⌈Wo/2⌉ tiles, those of an image row by row
 *
 * One invocation per tile and four channels, all in registers; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  type DType,
  format,
  i32,
  type Kernel,
  paramsWgsl,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import type { Padding } from './conv2d.ts';
import { FLAT_MAIN, flatGrid, imageOf } from './elementwise.ts';
import { type Activation, activationWgsl } from './epilogue.ts';
import { inputNorm } from './gemm-program.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
import { B, four, POINTS, tilesOf, transformed } from './winograd.ts';

export interface WinogradInputInputs {
  readonly x: TensorType;
  /** [N, 2, C] f32, with beta [C] f32: see gemm-program.ts. */
  readonly stats?: TensorType | undefined;
  readonly beta?: TensorType | undefined;
}

export interface WinogradInputConstants {
  /** That of the convolution. */
  readonly padding: Padding;
  /** Of the norm. @default none */
  readonly normActivation?: Activation;
  /** Storage of v. @default that of x */
  readonly dtype?: DType;
}

export function winogradInput(
  { x, stats, beta }: WinogradInputInputs,
  { padding, normActivation = 'none', dtype = x.dtype }: WinogradInputConstants,
  target: Target,
): Kernel {
  const { n, height, width, channels, groups } = imageOf('x', x);
  const norm = inputNorm(x, { stats, beta }, normActivation);
  const tiles = tilesOf(
    height + padding.top + padding.bottom - 2,
    width + padding.left + padding.right - 2,
  );
  if (!(tiles.rows > 0 && tiles.columns > 0)) {
    throw new ShapeError(`x is ${format(x)}, smaller than 3x3 with ${JSON.stringify(padding)}`);
  }
  const v: TensorType = { dtype, shape: [POINTS, n * tiles.rows * tiles.columns, channels] };
  const vectors = n * tiles.rows * tiles.columns * groups;
  const params = {
    vectors: u32(vectors),
    groups: u32(groups),
    rows: u32(tiles.rows),
    columns: u32(tiles.columns),
    height: u32(height),
    width: u32(width),
    top: i32(padding.top),
    left: i32(padding.left),
  };
  return {
    name: 'winogradInput',
    variant: `${format(x)}${norm ? ` norm ${norm.activation}` : ''} → ${dtype}`,
    bindings: { x: 1, ...(norm && { stats: 3, beta: 4 }) },
    params,
    output: { binding: 2, type: v },
    workgroups: flatGrid(vectors),
    cost: { flops: 4 * vectors * 32, bytes: byteLength(x) + byteLength(v) },
    wgsl: wgsl`
${enableF16(target, x.dtype, dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('v', 2, dtype, target)}
#if ${norm !== undefined}
${readWgsl('stats', 3, 'f32', target)}
${readWgsl('beta', 4, 'f32', target)}
${activationWgsl(norm?.activation ?? 'none', 'activate_input')}
#endif

// Four channels of a pixel; coordinates below zero wrap around and are outside too.
fn pixel(image: u32, y: u32, x: u32, group: u32) -> vec4f {
  if (y >= params.height || x >= params.width) { return vec4f(); }
  let v = load_x(((image * params.height + y) * params.width + x) * params.groups + group);
#if ${norm !== undefined}
  let at = image * 2u * params.groups + group;
  return activate_input((v - load_stats(at)) * load_stats(at + params.groups) + load_beta(group));
#else
  return v;
#endif
}

// Bᵀ times a column.
fn transform(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> array<vec4f, 4> {
  return array<vec4f, 4>(a - c, b + c, c - b, b - d);
}

fn element(i: u32) {
  let tile = i / params.groups;
  let group = i - tile * params.groups;
  let line = tile / params.columns;
  let image = line / params.rows;
  let y = 2u * (line - image * params.rows) - u32(params.top);
  let x = 2u * (tile - line * params.columns) - u32(params.left);
${four((r) => `  let row${r} = transform(${four((c) => `pixel(image, y + ${r}u, x + ${c}u, group)`, ', ')});`)}
${four(
  (c) => `  let column${c} = transform(row0[${c}], row1[${c}], row2[${c}], row3[${c}]);
${four((r) => `  store_v(${4 * r + c}u * params.vectors + i, column${c}[${r}]);`)}`,
)}
}
${FLAT_MAIN}
`,
  };
}

export function winogradInputReference(
  { x }: { readonly x: Float32Array },
  [n = 0, height = 0, width = 0, channels = 0]: readonly number[],
  { padding }: Pick<WinogradInputConstants, 'padding'>,
): Float32Array {
  const { top, left, bottom, right } = padding;
  const { rows, columns } = tilesOf(height + top + bottom - 2, width + left + right - 2);
  const tiles = n * rows * columns;
  return new Float32Array(POINTS * tiles * channels).map((_, i) => {
    const c = i % channels;
    const tile = Math.floor(i / channels) % tiles;
    const point = Math.floor(i / (channels * tiles));
    const image = Math.floor(tile / (rows * columns));
    const y0 = 2 * (Math.floor(tile / columns) % rows) - top;
    const x0 = 2 * (tile % columns) - left;
    const pixel = (dy: number, dx: number): number => {
      const [py, px] = [y0 + dy, x0 + dx];
      if (py < 0 || py >= height || px < 0 || px >= width) return 0;
      return x[((image * height + py) * width + px) * channels + c] ?? 0;
    };
    return transformed(B, pixel, point >> 2, point & 3);
  });
}
