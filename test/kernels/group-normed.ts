/** Inputs of products that normalize x by its moments (kernels/norm-groups.ts): types, values, reference. */
import { sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { groupNormApplyReference } from '../../src/kernels/group-norm.ts';
import { groupNormFinalizeReference } from '../../src/kernels/group-norm-stats.ts';
import { MOMENTS } from '../../src/kernels/moments.ts';
import { normal } from '../harness/random.ts';
import type { HostData } from '../harness/run-kernel.ts';

/** More than the invocations that share a group, and no multiple of them. */
const CHUNKS = 11;
const EPS = 1e-5;

/** Entries of one or two channels fewer than the group has, so that a group merges several. */
export function groupNormed(x: TensorType, groups: number) {
  const batch = x.shape[0]!;
  const channels = x.shape.at(-1)!;
  const width = channels / groups;
  const entries = width % 2 === 0 ? 2 * groups : groups;
  const moments: TensorType = { dtype: 'f32', shape: [batch, CHUNKS, MOMENTS, entries] };
  const affine: TensorType = { dtype: 'f32', shape: [2 * channels] };
  return {
    inputs: { moments, affine },
    constants: { normGroups: groups, normEps: EPS },
    /** Counts that differ, as at an image's edge; means of some spread; M2 above zero. */
    data(name: string, { shape }: TensorType, seed: number): Float32Array | undefined {
      if (name === 'affine') return normal(sizeOf(shape), seed, { mean: 0.5 });
      if (name !== 'moments') return undefined;
      const countOf = (row: number): number => 16 + (Math.floor(row / MOMENTS) % CHUNKS);
      return normal(sizeOf(shape), seed).map((v, i) => {
        const row = Math.floor(i / entries);
        if (row % MOMENTS === 0) return countOf(row);
        return row % MOMENTS === 1 ? 0.25 + v / 4 : countOf(row) * (1 + 0.1 * Math.tanh(v));
      });
    },
    normalized(data: Readonly<Record<string, HostData>>, activation: Activation): Float32Array {
      const both = data['affine'] as Float32Array;
      const stats = groupNormFinalizeReference(
        { partial: data['moments'] as Float32Array, gamma: both.slice(0, channels) },
        { groups, eps: EPS, batch, chunks: CHUNKS },
      );
      const beta = both.slice(channels);
      return groupNormApplyReference({ x: data['x'] as Float32Array, stats, beta }, { activation });
    },
  };
}
