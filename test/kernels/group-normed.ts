/** Inputs of products that normalize x by its moments (kernels/norm-groups.ts): types, values, reference. */
import { sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import { concatReference } from '../../src/kernels/concat.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { groupNormApplyReference } from '../../src/kernels/group-norm-apply.ts';
import { MOMENTS } from '../../src/kernels/moments.ts';
import { normal } from '../harness/random.ts';
import type { HostData } from '../harness/run-kernel.ts';

/** More than the invocations that share a group, and no multiple of them. */
const CHUNKS = 11;
const OTHER_CHUNKS = 3;
const EPS = 1e-5;

/**
 * `others`: channels of an x2 whose moments are another tensor. Runs are of one or two channels, so that
 * a group merges several.
 */
export function groupNormed(x: TensorType, groups: number, others = 0) {
  const batch = x.shape[0]!;
  const own = x.shape.at(-1)!;
  const channels = own + others;
  const run = (channels / groups) % 2 === 0 ? 2 : 1;
  const momentsOf = (count: number, chunks: number): TensorType => ({
    dtype: 'f32',
    shape: [batch, chunks, MOMENTS, count / run],
  });
  const moments = momentsOf(own, CHUNKS);
  const moments2 = others > 0 ? momentsOf(others, OTHER_CHUNKS) : undefined;
  const affine: TensorType = { dtype: 'f32', shape: [2 * channels] };
  return {
    inputs: { moments, ...(moments2 && { moments2 }), affine },
    constants: { normGroups: groups, normEps: EPS },
    /** Counts that differ, as at an image's edge; means of some spread; M2 above zero. */
    data(name: string, { shape }: TensorType, seed: number): Float32Array | undefined {
      if (name === 'affine') return normal(sizeOf(shape), seed, { mean: 0.5 });
      if (!name.startsWith('moments')) return undefined;
      const [, chunks = 1, , entries = 1] = shape;
      const countOf = (row: number): number => 16 + (Math.floor(row / MOMENTS) % chunks);
      return normal(sizeOf(shape), seed).map((v, i) => {
        const row = Math.floor(i / entries);
        if (row % MOMENTS === 0) return countOf(row);
        return row % MOMENTS === 1 ? 0.25 + v / 4 : countOf(row) * (1 + 0.1 * Math.tanh(v));
      });
    },
    /** x, and x2 beside it, as the product should see it. */
    normalized(data: Readonly<Record<string, HostData>>, activation: Activation): Float32Array {
      const floats = data as Readonly<Record<string, Float32Array>>;
      const both = floats['affine']!;
      const x = floats['x2']
        ? concatReference(
            { a: floats['x']!, b: floats['x2'] },
            { channelsA: own, channelsB: others },
          )
        : floats['x']!;
      const stats = statisticsOf(
        [
          [floats['moments']!, own],
          [floats['moments2'] ?? new Float32Array(), others],
        ],
        { batch, groups, run, gamma: both.subarray(0, channels) },
      );
      const beta = both.slice(channels);
      return groupNormApplyReference({ x, stats, beta }, { activation });
    },
  };
}

/** What groupNormFinalize makes of the moments of tensors side by side, in f64. */
function statisticsOf(
  tensors: readonly (readonly [moments: Float32Array, channels: number])[],
  shape: { batch: number; groups: number; run: number; gamma: Float32Array },
): Float32Array {
  const { batch, groups, run, gamma } = shape;
  const width = gamma.length / groups;
  const stats = new Float32Array(batch * 2 * gamma.length);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < gamma.length; c++) {
      const group = Math.floor(c / width);
      let [count, mean, m2, begin] = [0, 0, 0, 0];
      for (const [moments, channels] of tensors) {
        const entries = channels / run;
        const chunks = entries > 0 ? moments.length / (batch * MOMENTS * entries) : 0;
        for (let e = 0; e < entries; e++) {
          if (Math.floor((begin + e * run) / width) !== group) continue;
          for (let chunk = 0; chunk < chunks; chunk++) {
            const at = (n * chunks + chunk) * MOMENTS * entries + e;
            const size = moments[at]!;
            const d = moments[at + entries]! - mean;
            m2 += moments[at + 2 * entries]! + (d * d * count * size) / (count + size);
            count += size;
            mean += (d * size) / count;
          }
        }
        begin += channels;
      }
      stats[n * 2 * gamma.length + c] = mean;
      stats[(n * 2 + 1) * gamma.length + c] = gamma[c]! / Math.sqrt(m2 / count + EPS);
    }
  }
  return stats;
}
