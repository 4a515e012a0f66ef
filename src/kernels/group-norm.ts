/**
 * Group normalization of a small image in one dispatch, with an optional activation. Larger images
 * take three (group-norm-partial.ts, group-norm-finalize.ts, group-norm-apply.ts).
 *
 *   y = act((x - mean[g]) · rsqrt(var[g] + eps) · gamma + beta)     g the group of a channel
 *
 *   x, y         [N, H, W, C]   f16 or f32; C a multiple of 4
 *   x2?          [N, H, W, C2]  like x, whose channels follow those of x: then C is of both, and y
 *   gamma, beta  [C]            f32; C / groups need not be a multiple of 4
 *
 * A workgroup takes the fewest groups that fill whole vectors of four channels: one, two or four, so
 * that a vec4f holds a value for each of them. Its invocations keep to a vector of channels each and
 * read it three times, from the cache after the first: for the mean, for the deviations from it (and
 * their own mean, which the rounded one lacks), and to write. Memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  type DType,
  expectShape,
  f32,
  format,
  gridOf,
  type Kernel,
  paramsWgsl,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { imageOf } from './elementwise.ts';
import { activate, type Activation, activationWgsl } from './epilogue.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

const LANES = 256;

/** Elements of one image up to which one workgroup per group beats three well spread dispatches; a guess, unmeasured. */
const SMALL = 2 ** 22;

export interface GroupNormInputs {
  readonly x: TensorType;
  readonly x2?: TensorType | undefined;
  readonly gamma: TensorType;
  readonly beta: TensorType;
}

export interface GroupNormConstants {
  readonly groups: number;
  readonly eps: number;
  /** @default 'none' */
  readonly activation?: Activation;
  /** Storage of y. @default that of x */
  readonly dtype?: DType;
}

/** Groups that fill whole vectors together, and how many vectors. */
function bundleOf(channels: number, groups: number): { groups: number; vectors: number } {
  const width = channels / groups;
  const together = [1, 2, 4].find((n) => (n * width) % 4 === 0) ?? 4;
  return { groups: together, vectors: (together * width) / 4 };
}

/** Whether one dispatch is the better way. */
export const isSmallGroupNorm = ({ shape }: TensorType, groups: number): boolean =>
  sizeOf(shape.slice(1)) <= SMALL && bundleOf(shape.at(-1) ?? 0, groups).vectors <= LANES;

export function groupNorm(
  { x, x2, gamma, beta }: GroupNormInputs,
  { groups, eps, activation = 'none', dtype = x.dtype }: GroupNormConstants,
  target: Target,
): Kernel {
  const { n: batch, height, width: columns, channels: own } = imageOf('x', x);
  const channels = own + (x2?.shape[3] ?? 0);
  if (x2) expectShape('x2', x2, [batch, height, columns, channels - own]);
  expectShape('gamma', gamma, [channels]);
  expectShape('beta', beta, [channels]);
  const bundle = bundleOf(channels, groups);
  if (channels % groups !== 0 || groups % bundle.groups !== 0 || bundle.vectors > LANES) {
    throw new ShapeError(`x is ${format(x)}, which ${groups} groups do not divide evenly`);
  }
  const y: TensorType = { dtype, shape: [batch, height, columns, channels] };
  const rows = batch * (groups / bundle.groups);
  const pixels = height * columns;
  const params = {
    rows: u32(rows),
    bundles: u32(groups / bundle.groups),
    vectors: u32(bundle.vectors),
    width: u32(channels / groups),
    pixels: u32(pixels),
    row_vectors: u32(channels / 4),
    own_vectors: u32(own / 4),
    count: f32((pixels * channels) / groups),
    eps: f32(eps),
  };
  return {
    name: 'groupNorm',
    variant: `${format(x)}${x2 ? ` + ${channels - own}` : ''} ${groups} groups ${activation} → ${dtype}`,
    bindings: { x: 1, gamma: 2, beta: 3, ...(x2 && { x2: 5 }) },
    params,
    output: { binding: 4, type: y },
    workgroups: gridOf(rows),
    cost: {
      flops: (activation === 'none' ? 8 : 13) * sizeOf(y.shape),
      bytes:
        byteLength(x) +
        (x2 ? byteLength(x2) : 0) +
        byteLength(gamma) +
        byteLength(beta) +
        byteLength(y),
    },
    wgsl: wgsl`
${enableF16(target, x.dtype, x2?.dtype, dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
#if ${x2 !== undefined}
${readWgsl('x2', 5, x2?.dtype ?? 'f32', target)}
#endif
${readWgsl('gamma', 2, 'f32', target)}
${readWgsl('beta', 3, 'f32', target)}
${writeWgsl('y', 4, dtype, target)}
${activationWgsl(activation)}

const LANES: u32 = ${LANES};
var<workgroup> scratch: array<array<vec4f, 2>, LANES>;

// Sums over all lanes of two values. Called twice, as barriers take software adapters long to compile.
fn lanes_sum(a: vec4f, b: vec4f, lane: u32) -> array<vec4f, 2> {
  workgroupBarrier();  // the last sum has been read
  scratch[lane] = array(a, b);
  for (var stride = LANES / 2u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) {
      scratch[lane][0] += scratch[lane + stride][0];
      scratch[lane][1] += scratch[lane + stride][1];
    }
  }
  workgroupBarrier();
  return scratch[0];
}

// Where a lane's channels are: of pixel p the vector base + p · stride, of x or of x2.
struct Place { base: u32, stride: u32, is_second: bool }

fn place_of(image: u32, channel: u32) -> Place {
  let others = params.row_vectors - params.own_vectors;
  if (channel < params.own_vectors) {
    return Place(image * params.pixels * params.own_vectors + channel, params.own_vectors, false);
  }
  return Place(image * params.pixels * others + channel - params.own_vectors, others, true);
}

fn load_at(place: Place, p: u32) -> vec4f {
  let i = place.base + p * place.stride;
#if ${x2 !== undefined}
  if (place.is_second) { return load_x2(i); }
#endif
  return load_x(i);
}

// The group, from the bundle's first, of each channel of a vector.
fn groups_of(vector: u32) -> vec4u {
  return (vector * 4u + vec4u(0u, 1u, 2u, 3u)) / params.width;
}

// A value for each channel → their sums by group.
fn by_group(value: vec4f, groups: vec4u) -> vec4f {
  var sums = vec4f();
  for (var c = 0u; c < 4u; c++) { sums[groups[c]] += value[c]; }
  return sums;
}

// A value for each group → the one of each channel.
fn of_group(value: vec4f, groups: vec4u) -> vec4f {
  return vec4f(value[groups.x], value[groups.y], value[groups.z], value[groups.w]);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup.y * grid.x + workgroup.x;
  if (row >= params.rows) { return; }
  let image = row / params.bundles;
  let step = LANES / params.vectors;  // pixels at a time; lanes left over have none
  let vector = lane % params.vectors;
  let first = select(params.pixels, lane / params.vectors, lane / params.vectors < step);
  let channel = (row - image * params.bundles) * params.vectors + vector;
  let place = place_of(image, channel);
  let base = image * params.pixels * params.row_vectors + channel;
  let groups = groups_of(vector);

  var sum = vec4f();
  for (var p = first; p < params.pixels; p += step) { sum += load_at(place, p); }
  let rough = of_group(lanes_sum(by_group(sum, groups), vec4f(), lane)[0] / params.count, groups);

  var deviations = vec4f();
  var squares = vec4f();
  for (var p = first; p < params.pixels; p += step) {
    let d = load_at(place, p) - rough;
    deviations += d;
    squares += d * d;
  }
  let sums = lanes_sum(by_group(deviations, groups), by_group(squares, groups), lane);
  let shift = sums[0] / params.count;
  let square = sums[1] / params.count;
  let rstd = inverseSqrt(max(square - shift * shift, vec4f()) + params.eps);

  let offset = of_group(shift, groups);
  let scale = of_group(rstd, groups) * load_gamma(channel);
  let beta = load_beta(channel);
  for (var p = first; p < params.pixels; p += step) {
    let at = base + p * params.row_vectors;
    store_y(at, activate((load_at(place, p) - rough - offset) * scale + beta));
  }
}
`,
  };
}

export function groupNormReference(
  { x, gamma, beta }: { x: Float32Array; gamma: Float32Array; beta: Float32Array },
  { groups, eps, activation = 'none', batch }: GroupNormConstants & { batch: number },
): Float32Array {
  const channels = gamma.length;
  const width = channels / groups;
  const pixels = x.length / batch / channels;
  const y = new Float32Array(x.length);
  for (let row = 0; row < batch * groups; row++) {
    const first = Math.floor(row / groups) * pixels * channels + (row % groups) * width;
    const at = (i: number) => first + Math.floor(i / width) * channels + (i % width);
    const count = pixels * width;
    let mean = 0;
    for (let i = 0; i < count; i++) mean += (x[at(i)] ?? 0) / count;
    let variance = 0;
    for (let i = 0; i < count; i++) variance += ((x[at(i)] ?? 0) - mean) ** 2 / count;
    const rstd = 1 / Math.sqrt(variance + eps);
    for (let i = 0; i < count; i++) {
      const c = at(i) % channels;
      const value = ((x[at(i)] ?? 0) - mean) * rstd * (gamma[c] ?? 0) + (beta[c] ?? 0);
      y[at(i)] = activate(activation, value);
    }
  }
  return y;
}
