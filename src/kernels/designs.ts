/**
 * Several designs of one kernel, chosen by class of sizes. A design is a name (`tile64x64`, `splitK4`)
 * that the factory understands; all of them compute the same within the op's tolerance.
 *
 *   target.designs[key]   what tuning found on this adapter (tune/tune.ts)
 *   shippedDesign         else: what it found on another one of this architecture, or of this vendor
 *   candidates[0]         else: the factory's best guess
 *
 * Names that are no candidates (of another version, say) count for nothing.
 */
import type { Choice, Target } from '../engine/kernel.ts';
import { shippedDesign } from './shipped-designs.ts';

/** Throws nothing: there is always a first candidate. */
export function choose(
  key: string,
  candidates: readonly [string, ...string[]],
  { designs, adapter }: Pick<Target, 'designs' | 'adapter'>,
): Choice {
  const isKnown = (name: string | undefined): name is string =>
    name !== undefined && candidates.includes(name);
  const tuned = designs?.[key];
  if (isKnown(tuned)) return { key, design: tuned, candidates, source: 'tuned' };
  const shipped = adapter && shippedDesign(adapter, key);
  if (isKnown(shipped)) return { key, design: shipped, candidates, source: 'shipped' };
  return { key, design: candidates[0], candidates, source: 'guess' };
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
