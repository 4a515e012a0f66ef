/**
 * Several designs of one kernel, chosen by class of sizes. A design is a name (`tile64x64`, `splitK4`)
 * that the factory understands; all of them compute the same within the op's tolerance.
 *
 *   target.designs[key]   what tuning found, or a table shipped for such adapters; names that are no
 *                         candidates (of another version, say) count for nothing
 *   candidates[0]         else: the factory's best guess
 */
import type { Choice, Target } from '../engine/kernel.ts';

/** Throws nothing: there is always a first candidate. */
export function choose(
  key: string,
  candidates: readonly [string, ...string[]],
  { designs }: Pick<Target, 'designs'>,
): Choice {
  const wanted = designs?.[key];
  const design = wanted !== undefined && candidates.includes(wanted) ? wanted : candidates[0];
  return { key, design, candidates };
}

/**
 * `gemm f16 m4096 n512 k8192`: sizes rounded up to powers of two, so that neighbouring shapes share
 * what was measured for one of them.
 */
export const sizeClass = (what: string, sizes: Readonly<Record<string, number>>): string =>
  [
    what,
    ...Object.entries(sizes).map(
      ([name, size]) => `${name}${2 ** Math.ceil(Math.log2(Math.max(1, size)))}`,
    ),
  ].join(' ');
