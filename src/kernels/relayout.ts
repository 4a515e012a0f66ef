/**
 * A checkpoint's weight in the kernels' layout: what weights/layout.ts `convert` does for f16
 * results, bit for bit, on the device that will use them.
 *
 *   raw      bytes of whole rows of [O, I, ...taps] as the file has them, F16, BF16 or F32
 *   weight   linear, conv   f16 [...taps, I, O]
 *            phase          f16 [2, 2, 2, 2, I, O], see weights/phase-weights.ts
 *            with `blocks`  the same in blocks of one matrix: blocks.ts
 *
 * A dispatch moves `rows` rows from `first` on, so a weight may arrive in pieces; each fills its own
 * columns of every row of the result. O and the rows are multiples of 8, I of 4, a row's elements
 * of 8, and a piece begins at a multiple of 16 bytes in `raw` (`canRelayout` tells).
 *
 * Everything is integer arithmetic but for the sums of taps: `pack2x16float` may round as it likes
 * and flush subnormals, and an f16 that needs no conversion keeps its bits. Values that round to
 * infinity are the caller's to refuse before (weights/f16-range.ts `holdsBeyond`).
 *
 * Transposition: an invocation turns 8 rows × 8 columns in registers, reading and writing 16 bytes at
 * a time, then the next 8 columns; lanes lie along O, so that a lane group writes whole lines.
 * Memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  type Blocks,
  byteLength,
  type Kernel,
  paramsWgsl,
  type Shape,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { packedType, placeWgsl } from './blocks.ts';
import { HALF, SINGLE } from './half-bits.ts';
import { phaseSums } from './phase-sums.ts';
import { canRelayout, ELEMENT_BYTES } from './relayout-rows.ts';

export interface RelayoutInputs {
  /** Words of a buffer that holds the piece somewhere. */
  readonly raw: TensorType;
}

export interface RelayoutConstants {
  readonly from: 'F16' | 'BF16' | 'F32';
  readonly layout: 'linear' | 'conv' | 'phase';
  /** In the checkpoint, e.g. [O, I, 3, 3]. */
  readonly shape: Shape;
  /** Bytes before the piece in `raw`. */
  readonly offset: number;
  readonly first: number;
  readonly rows: number;
  /** @default none: rows one after another */
  readonly blocks?: Blocks | undefined;
}

/** How the workgroup's lanes and their loops lie: rows / 8 and columns / 8. */
const LOOPS = {
  // One SIMD vector of lanes: a CPU's caches see 64 rows of a line each.
  cpu: { lanes: 8, columns: 16 },
  // A line of 128 bytes per row is read by one invocation, in eight consecutive loads.
  alu: { lanes: 32, columns: 8 },
} as const satisfies Record<Target['family'], object>;

const PHASE_LANES = 32;

export function relayout(
  { raw }: RelayoutInputs,
  { from, layout, shape, offset, first, rows, blocks }: RelayoutConstants,
  target: Target,
): Kernel {
  const [outputs = 0, inputs = 0, ...spatial] = shape;
  const taps = spatial.reduce((n, d) => n * d, 1);
  const columns = inputs * taps;
  const end = offset + rows * columns * ELEMENT_BYTES[from];
  const isWhole = [outputs, first, rows, columns].every((n) => n % 8 === 0);
  if (!canRelayout(layout, from, shape) || !isWhole || offset % 16 !== 0) {
    throw new ShapeError(
      `${layout} ${from} [${shape.join(',')}], rows ${first} and ${rows} more at byte ${offset}: no relayout`,
    );
  }
  if (raw.dtype !== 'u32' || end > byteLength(raw) || first + rows > outputs) {
    throw new ShapeError(`raw has ${byteLength(raw)} bytes, the piece ends at ${end}`);
  }
  const isPhase = layout === 'phase';
  const kernelShape = layout === 'linear' ? [] : spatial;
  const params = {
    offset: u32(offset / 16),
    columns: u32(columns),
    taps: u32(taps),
    inputs: u32(inputs),
    outputs: u32(outputs),
    first: u32(first),
    rows: u32(rows),
  };
  const plain: TensorType = {
    dtype: 'f16',
    shape: [...(isPhase ? [2, 2, 2, 2] : kernelShape), inputs, outputs],
  };
  const type = blocks ? packedType(plain, blocks) : plain;
  const loops = LOOPS[target.family];
  return {
    name: 'relayout',
    variant: `${layout} ${from} [${shape.join(',')}]${blocks ? ` in ${blocks.k}x${blocks.n}` : ''}`,
    bindings: { raw: 1 },
    params,
    output: { binding: 2, type },
    workgroups: isPhase
      ? [Math.ceil(rows / (4 * PHASE_LANES)), inputs, 1]
      : [Math.ceil(columns / (8 * loops.columns)), Math.ceil(rows / (8 * loops.lanes)), 1],
    cost: { flops: 0, bytes: end - offset + (byteLength(type) * rows) / outputs },
    wgsl: isPhase ? phaseWgsl(from, blocks) : transposeWgsl(from, loops, blocks),
  };
}

const PARAMS = paramsWgsl({
  offset: u32(0),
  columns: u32(0),
  taps: u32(0),
  inputs: u32(0),
  outputs: u32(0),
  first: u32(0),
  rows: u32(0),
});

/** `eight(i)`: the f16 bits of elements 8i to 8i + 7, two in a word. */
const EIGHT = {
  F16: `fn eight(i: u32) -> vec4u { return raw[params.offset + i]; }`,
  BF16: `${HALF}
fn eight(i: u32) -> vec4u {
  let v = raw[params.offset + i];
  return half(v << vec4u(16u)) | (half(v & vec4u(0xffff0000u)) << vec4u(16u));
}`,
  F32: `${HALF}
fn eight(i: u32) -> vec4u {
  let a = half(raw[params.offset + 2u * i]);
  let b = half(raw[params.offset + 2u * i + 1u]);
  return vec4u(a.xz | (a.yw << vec2u(16u)), b.xz | (b.yw << vec2u(16u)));
}`,
} as const;

function transposeWgsl(
  from: RelayoutConstants['from'],
  { lanes, columns }: (typeof LOOPS)[Target['family']],
  blocks: Blocks | undefined,
): string {
  return wgsl`
${PARAMS}
const LANES: u32 = ${lanes};
const COLUMNS: u32 = ${columns};
@group(0) @binding(1) var<storage, read> raw: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec4u>;
${EIGHT[from]}
${placeWgsl(blocks, 8)}

// Two rows of eight → eight pairs: even columns and odd columns.
fn even(a: vec4u, b: vec4u) -> vec4u { return (a & vec4u(0xffffu)) | (b << vec4u(16u)); }
fn odd(a: vec4u, b: vec4u) -> vec4u { return (a >> vec4u(16u)) | (b & vec4u(0xffff0000u)); }

fn store(column: u32, group: u32, value: vec4u) {
  let row = (column % params.taps) * params.inputs + column / params.taps;
  weight[place(row, group, params.outputs / 8u)] = value;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let rows = workgroup.y * LANES + lane;  // in eights
  if (8u * rows >= params.rows) { return; }
  let stride = params.columns / 8u;
  let group = params.first / 8u + rows;
  for (var k = 0u; k < COLUMNS; k++) {
    let column = workgroup.x * COLUMNS + k;  // in eights
    if (column >= stride) { return; }
    let at = 8u * rows * stride + column;
    let r0 = eight(at);
    let r1 = eight(at + stride);
    let r2 = eight(at + 2u * stride);
    let r3 = eight(at + 3u * stride);
    let r4 = eight(at + 4u * stride);
    let r5 = eight(at + 5u * stride);
    let r6 = eight(at + 6u * stride);
    let r7 = eight(at + 7u * stride);
    let e0 = even(r0, r1);
    let e1 = even(r2, r3);
    let e2 = even(r4, r5);
    let e3 = even(r6, r7);
    let o0 = odd(r0, r1);
    let o1 = odd(r2, r3);
    let o2 = odd(r4, r5);
    let o3 = odd(r6, r7);
    let c = 8u * column;
    store(c, group, vec4u(e0.x, e1.x, e2.x, e3.x));
    store(c + 1u, group, vec4u(o0.x, o1.x, o2.x, o3.x));
    store(c + 2u, group, vec4u(e0.y, e1.y, e2.y, e3.y));
    store(c + 3u, group, vec4u(o0.y, o1.y, o2.y, o3.y));
    store(c + 4u, group, vec4u(e0.z, e1.z, e2.z, e3.z));
    store(c + 5u, group, vec4u(o0.z, o1.z, o2.z, o3.z));
    store(c + 6u, group, vec4u(e0.w, e1.w, e2.w, e3.w));
    store(c + 7u, group, vec4u(o0.w, o1.w, o2.w, o3.w));
  }
}
`;
}

/** An invocation makes all 16 sums of one input channel and four outputs; lanes lie along O. */
function phaseWgsl(from: RelayoutConstants['from'], blocks: Blocks | undefined): string {
  return wgsl`
${PARAMS}
const LANES: u32 = ${PHASE_LANES};
@group(0) @binding(1) var<storage, read> raw: array<u32>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec2u>;
${SINGLE[from]}
${HALF}
${placeWgsl(blocks, 4)}

// Tap k of four rows.
fn four(row: u32, input: u32, k: u32) -> vec4f {
  let at = row * params.columns + 9u * input + k;
  return vec4f(
    single(at),
    single(at + params.columns),
    single(at + 2u * params.columns),
    single(at + 3u * params.columns),
  );
}

fn store(plane: u32, input: u32, group: u32, sum: vec4f) {
  let bits = bitcast<vec4u>(sum);
  // Sums begin at +0: there is no -0.
  let h = half(select(bits, vec4u(0u), (bits << vec4u(1u)) == vec4u(0u)));
  weight[place(plane * params.inputs + input, group, params.outputs / 4u)] =
    h.xz | (h.yw << vec2u(16u));
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let rows = workgroup.x * LANES + lane;  // in fours
  if (4u * rows >= params.rows) { return; }
  let input = workgroup.y;
  let group = params.first / 4u + rows;
${phaseSums()}
}
`;
}
