/**
 * Group normalization of what a product reads, by the product itself: each workgroup merges the moments
 * (moments.ts) of its image's groups as it begins, then normalizes four channels of x with every load.
 *
 *   x' = act((x - mean[g]) · rstd[g] · gamma + beta)
 *
 *   moments    [N, chunks, 3, E]   f32, of x; E a multiple of the groups
 *   affine     [2C]                f32: gamma, then beta
 *
 * It costs arithmetic with every load of x (for a convolution once per tap and block of output columns),
 * and all of an image's moments with every workgroup; it saves a dispatch, and a write and a read of x.
 */
import {
  f32,
  type Params,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { type Activation, activationWgsl } from './epilogue.ts';
import { expectMoments } from './moments.ts';
import { readWgsl } from './storage.ts';

/** What shared memory has room for. */
export const MAX_GROUPS = 32;
/** Of shared memory. */
export const GROUP_BYTES = 12 * MAX_GROUPS;
/** Invocations that share a group, at most: they merge one after another. */
const MAX_PARTS = 8;

export interface GroupNormed {
  readonly moments: TensorType;
  readonly affine: TensorType;
  readonly groups: number;
  readonly eps: number;
  readonly activation: Activation;
}

/** ShapeError unless they fit x of so many channels and images. */
export function expectGroups(
  { moments, groups }: Pick<GroupNormed, 'moments' | 'groups'>,
  { batch, channels }: { readonly batch: number; readonly channels: number },
): void {
  const found = expectMoments('moments', moments, channels);
  if (found.batch !== batch || found.entries % groups !== 0 || groups > MAX_GROUPS) {
    throw new ShapeError(
      `moments are of ${found.batch} images and ${found.entries} runs of channels, expected ${batch} images and up to ${MAX_GROUPS} groups, got ${groups}`,
    );
  }
}

export function groupParams({ moments, groups, eps }: GroupNormed, channels: number): Params {
  const [, chunks = 0, , entries = 0] = moments.shape;
  return {
    groups: u32(groups),
    group_entries: u32(entries / groups),
    chunks: u32(chunks),
    group_scale: f32(groups / channels),
    norm_eps: f32(eps),
  };
}

/**
 * `merge_groups(image, thread, threads)`, to be called by all invocations first, and `normalized_input(x, k)`
 * of vector k of a pixel. Both bind 7 and 8.
 */
export const groupNormedWgsl = ({ activation }: GroupNormed, target: Target): string => `
@group(0) @binding(7) var<storage, read> moments_of_x: array<f32>;
${readWgsl('affine', 8, 'f32', target)}
${activationWgsl(activation, 'activate_input')}

// Of each group mean, then rstd; before that count, sum and sum of squares.
var<workgroup> norm_groups: array<f32, ${3 * MAX_GROUPS}>;

fn merge_groups(image: u32, thread: u32, threads: u32) {
  let part = thread / params.groups;
  let group = thread - part * params.groups;
  let parts = min(threads / params.groups, ${MAX_PARTS}u);
  let entries = params.groups * params.group_entries;
  let first = image * params.chunks * 3u * entries + group * params.group_entries;

  // Relative to the mean of an entry: its distance from the group's is part of the spread, so that the
  // difference of squares below loses no more digits than there are entries.
  let origin = moments_of_x[first + entries];
  var own = vec3f();
  for (var chunk = part; chunk < params.chunks && part < parts; chunk += parts) {
    let base = first + chunk * 3u * entries;
    for (var at = base; at < base + params.group_entries; at++) {
      let count = moments_of_x[at];
      let d = moments_of_x[at + entries] - origin;
      own += vec3f(count, count * d, moments_of_x[at + 2u * entries] + count * d * d);
    }
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
