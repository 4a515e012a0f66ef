/**
 * Moments → a group norm's statistics: the second of its three kernels. `partial` is what
 * groupNormPartial makes, or a product (moments.ts); a group's entries are merged (Chan et al. 1979):
 *
 *   mean[g] = Σ count·mean / Σ count
 *   rstd[g] = rsqrt(Σ (M2 + count·(mean - mean[g])²) / Σ count + eps)       Σ over chunks and entries of g
 *
 *   partial   [N, chunks, 3, E]      f32: count, mean and M2; E a multiple of the groups
 *   gamma     [C]                    f32; C / groups need not be a multiple of 4
 *   stats     [N, 2, C]              f32: mean[g] and rstd[g]·gamma of each channel
 *
 * A team of invocations (team.ts) takes a group: its weighted mean, then the spread around it. It reads
 * moments twice, a small part of x: N·groups teams leave most of a GPU idle, and latency is the bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  expectShape,
  f32,
  format,
  type Kernel,
  paramsWgsl,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { expectMoments, MOMENTS } from './moments.ts';
import { teamMain, teamOf } from './team.ts';

export interface GroupNormFinalizeInputs {
  /** Of a tensor of gamma's channels: [N, chunks, 3, E]. */
  readonly partial: TensorType;
  readonly gamma: TensorType;
}

export interface GroupNormFinalizeConstants {
  readonly groups: number;
  readonly eps: number;
}

export function groupNormFinalize(
  { partial, gamma }: GroupNormFinalizeInputs,
  { groups, eps }: GroupNormFinalizeConstants,
  target: Target,
): Kernel {
  const channels = sizeOf(gamma.shape);
  const { batch, chunks, entries } = expectMoments('partial', partial, channels);
  expectShape('gamma', gamma, [channels]);
  if (channels % groups !== 0 || entries % groups !== 0) {
    throw new ShapeError(
      `partial is ${format(partial)}, gamma ${format(gamma)}, not divisible into ${groups} groups`,
    );
  }

  const rows = batch * groups;
  const team = teamOf(target);
  const params = {
    rows: u32(rows),
    groups: u32(groups),
    width: u32(channels / groups),
    group_entries: u32(entries / groups),
    chunks: u32(chunks),
    eps: f32(eps),
  };
  const stats: TensorType = { dtype: 'f32', shape: [batch, 2, channels] };
  return {
    name: 'groupNormFinalize',
    variant: `${format(partial)} ${groups} groups`,
    bindings: { partial: 1, gamma: 2 },
    params,
    output: { binding: 3, type: stats },
    workgroups: team.workgroups(rows),
    cost: {
      flops: 4 * sizeOf(partial.shape),
      bytes: byteLength(partial) + byteLength(gamma) + byteLength(stats),
    },
    wgsl: wgsl`
${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
${team.wgsl}
// Sums of sums of 64: one chain over all of a 512² image's partials fails the finalize case.
const BLOCK: u32 = 64u * TEAM;

${teamMain(target)} {
  ${team.begin}
  let channels = params.groups * params.width;
  let stride = params.groups * params.group_entries;
  let image = row / params.groups;
  let group = row - image * params.groups;
  let base = image * params.chunks * 3u * stride + group * params.group_entries;
  let entries = params.chunks * params.group_entries;

  // Means relative to the first chunk's: their weighted mean, then the spread around it.
  let origin = partial[base + stride];
  var sum = 0f;
  var values = 0f;
  for (var start = part; start < entries; start += BLOCK) {
    var block = 0f;
    for (var i = start; i < min(start + BLOCK, entries); i += TEAM) {
      let chunk = i / params.group_entries;
      let at = base + chunk * 3u * stride + i - chunk * params.group_entries;
      values += partial[at];
      block += partial[at] * (partial[at + stride] - origin);
    }
    sum += block;
  }
  let count = team_sum(values, part);
  let mean = team_sum(sum, part) / count;
  var m2 = 0f;
  for (var start = part; start < entries; start += BLOCK) {
    var block = 0f;
    for (var i = start; i < min(start + BLOCK, entries); i += TEAM) {
      let chunk = i / params.group_entries;
      let at = base + chunk * 3u * stride + i - chunk * params.group_entries;
      let d = partial[at + stride] - origin - mean;
      block += partial[at + 2u * stride] + partial[at] * d * d;
    }
    m2 += block;
  }
  let rstd = inverseSqrt(team_sum(m2, part) / count + params.eps);

  for (var c = part; c < params.width; c += TEAM) {
    let out = image * 2u * channels + group * params.width + c;
    y[out] = origin + mean;
    y[out + channels] = rstd * gamma[group * params.width + c];
  }
}
`,
  };
}

export function groupNormFinalizeReference(
  { partial, gamma }: { partial: Float32Array; gamma: Float32Array },
  { groups, eps, batch, chunks }: GroupNormFinalizeConstants & { batch: number; chunks: number },
): Float32Array {
  const channels = gamma.length;
  const width = channels / groups;
  const entries = partial.length / (batch * chunks * MOMENTS);
  const y = new Float32Array(batch * 2 * channels);
  for (let row = 0; row < batch * groups; row++) {
    const n = Math.floor(row / groups);
    const group = row % groups;
    let [count, mean, m2] = [0, 0, 0];
    for (let chunk = 0; chunk < chunks; chunk++) {
      for (let e = 0; e < entries / groups; e++) {
        const at = (n * chunks + chunk) * MOMENTS * entries + (group * entries) / groups + e;
        const size = partial[at] ?? 0;
        const d = (partial[at + entries] ?? 0) - mean;
        m2 += (partial[at + 2 * entries] ?? 0) + (d * d * count * size) / (count + size);
        count += size;
        mean += (d * size) / count;
      }
    }
    for (let c = group * width; c < (group + 1) * width; c++) {
      y[n * 2 * channels + c] = mean;
      y[(n * 2 + 1) * channels + c] = (gamma[c] ?? 0) / Math.sqrt(m2 / count + eps);
    }
  }
  return y;
}
