/**
 * Group normalization of what a product reads, by the product itself: each workgroup merges the moments
 * (moments.ts) of its image's groups as it begins, then normalizes four channels of x with every load.
 *
 *   x' = act((x - mean[g]) · rstd[g] · gamma + beta)
 *
 *   moments    [N, chunks, 3, E]    f32, of x, in runs of C/E channels that divide a group
 *   moments2?  [N, chunks2, 3, E2]  f32, of x2, whose channels follow those of x
 *   affine     [2C]                 f32: gamma, then beta, of all channels
 *
 * It costs arithmetic with every load of x (for a convolution once per tap and block of output columns),
 * and all of an image's moments with every workgroup; it saves a dispatch, and a write and a read of x.
 */
import {
  f32,
  format,
  type Params,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { type Activation, activationWgsl } from './epilogue.ts';
import { expectMoments } from './moments.ts';
import { readWgsl } from './storage.ts';

export const MOMENTS2_BINDING = 11;
/** What shared memory has room for. */
export const MAX_GROUPS = 32;
/** Of shared memory. */
export const GROUP_BYTES = 12 * MAX_GROUPS;
/** Invocations that share a group, at most: they merge one after another. */
const MAX_PARTS = 8;

export interface GroupNormed {
  readonly moments: TensorType;
  /** Of the channels that follow, where x is two tensors side by side. */
  readonly moments2?: TensorType | undefined;
  readonly affine: TensorType;
  readonly groups: number;
  readonly eps: number;
  readonly activation: Activation;
}

/** ShapeError unless they fit x (and x2) of so many images and channels. */
export function expectGroups(
  { moments, moments2, groups }: Pick<GroupNormed, 'moments' | 'moments2' | 'groups'>,
  { batch, channels, others }: { readonly batch: number } & Channels,
): void {
  const width = (channels + others) / groups;
  for (const [what, type, own] of [
    ['moments', moments, channels],
    ['moments2', moments2, others],
  ] as const) {
    if (!type) continue;
    const found = expectMoments(what, type, own);
    const run = own / found.entries;
    if (found.batch !== batch || width % run !== 0 || channels % run !== 0 || groups > MAX_GROUPS) {
      throw new ShapeError(
        `${what} is ${format(type)}, expected ${batch} images and runs of channels that divide ${groups} groups of ${width}, at most ${MAX_GROUPS}`,
      );
    }
  }
}

/** Of x and of x2. */
interface Channels {
  readonly channels: number;
  readonly others: number;
}

export function groupParams(
  { moments, moments2, groups, eps }: GroupNormed,
  { channels, others }: Channels,
): Params {
  const [, chunks = 0, , entries = 0] = moments.shape;
  const [, chunks2 = 0, , entries2 = 0] = moments2?.shape ?? [];
  return {
    groups: u32(groups),
    group_width: u32((channels + others) / groups),
    own_channels: u32(channels),
    chunks: u32(chunks),
    entries: u32(entries),
    ...(moments2 && { chunks2: u32(chunks2), entries2: u32(entries2) }),
    group_scale: f32(groups / (channels + others)),
    norm_eps: f32(eps),
  };
}

/**
 * `merge_groups(image, thread, threads)`, to be called by all invocations first, and `normalized_input(x, k)`
 * of vector k of a pixel.
 */
export function groupNormedWgsl({ activation, moments2 }: GroupNormed, target: Target): string {
  const addAll = (name: string, chunks: string, entries: string): string => `
  for (var chunk = part; chunk < ${chunks} && part < parts; chunk += parts) {
    let base = (image * ${chunks} + chunk) * 3u * ${entries};
    for (var at = base + span.x; at < base + span.y; at++) {
      let count = ${name}[at];
      let d = ${name}[at + ${entries}] - origin;
      own += vec3f(count, count * d, ${name}[at + 2u * ${entries}] + count * d * d);
    }
  }`;
  return `
@group(0) @binding(7) var<storage, read> moments_of_x: array<f32>;
${readWgsl('affine', 8, 'f32', target)}
${moments2 ? `@group(0) @binding(${MOMENTS2_BINDING}) var<storage, read> moments_of_x2: array<f32>;` : ''}
${activationWgsl(activation, 'activate_input')}

// Of each group mean, then rstd; before that count, sum and sum of squares.
var<workgroup> norm_groups: array<f32, ${3 * MAX_GROUPS}>;

fn merge_groups(image: u32, thread: u32, threads: u32) {
  let part = thread / params.groups;
  let group = thread - part * params.groups;
  let parts = min(threads / params.groups, ${MAX_PARTS}u);
  let channels = vec2u(group, group + 1u) * params.group_width;
  let width = params.own_channels / params.entries;

  // Relative to the mean of an entry: its distance from the group's is part of the spread, so that the
  // difference of squares below loses no more digits than there are entries.
  var span = min(channels, vec2u(params.own_channels)) / width;
${
  moments2
    ? `  let width2 = (params.groups * params.group_width - params.own_channels) / params.entries2;
  let span2 = (max(channels, vec2u(params.own_channels)) - params.own_channels) / width2;`
    : ''
}
  var origin = moments_of_x[(image * params.chunks * 3u + 1u) * params.entries + min(span.x, params.entries - 1u)];
${
  moments2
    ? '  if (span.x == span.y) { origin = moments_of_x2[(image * params.chunks2 * 3u + 1u) * params.entries2 + span2.x]; }'
    : ''
}
  var own = vec3f();
${addAll('moments_of_x', 'params.chunks', 'params.entries')}
${
  moments2
    ? `  span = span2;
${addAll('moments_of_x2', 'params.chunks2', 'params.entries2')}`
    : ''
}
  for (var turn = 0u; turn < parts; turn++) {
    if (part == turn) {
      if (turn > 0u) {
        own += vec3f(norm_groups[group + ${2 * MAX_GROUPS}u], norm_groups[group], norm_groups[group + ${MAX_GROUPS}u]);
      }
      if (turn + 1u == parts) {
        let mean = own.y / own.x;
        let variance = max(own.z / own.x - mean * mean, 0f);
        own = vec3f(0f, origin + mean, inverseSqrt(variance + params.norm_eps));
      }
      norm_groups[group] = own.y;
      norm_groups[group + ${MAX_GROUPS}u] = own.z;
      norm_groups[group + ${2 * MAX_GROUPS}u] = own.x;
    }
    workgroupBarrier();
  }
}

fn normalized_input(x: vec4f, k: u32) -> vec4f {
  // Channels are far below 2^20: a half more keeps the quotient on the right side of an integer.
  let g = vec4u((vec4f(f32(4u * k)) + vec4f(0.5, 1.5, 2.5, 3.5)) * params.group_scale);
  let mean = vec4f(norm_groups[g.x], norm_groups[g.y], norm_groups[g.z], norm_groups[g.w]);
  let h = g + ${MAX_GROUPS}u;
  let rstd = vec4f(norm_groups[h.x], norm_groups[h.y], norm_groups[h.z], norm_groups[h.w]);
  return activate_input((x - mean) * rstd * load_affine(k) + load_affine(params.ci4 + k));
}`;
}
