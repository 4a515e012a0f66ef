/** Weights of cases in blocks of one matrix: random values lie there as they come, and references want rows. */
import type { Blocks, TensorType } from '../../src/engine/kernel.ts';
import { packedType } from '../../src/kernels/blocks.ts';
import { packWeightReference } from '../../src/kernels/pack-weight.ts';
import type { HostData } from '../harness/run-kernel.ts';

export const storedType = (weight: TensorType, blocks: Blocks | undefined): TensorType =>
  blocks ? packedType(weight, blocks) : weight;

/** The plain weight, of so many columns. */
export function plainValues(
  stored: HostData | undefined,
  columns: number,
  blocks: Blocks | undefined,
): Float32Array {
  const values = stored as Float32Array;
  if (!blocks) return values;
  const plain = new Float32Array(values.length);
  // Where each value comes from, as a number that f32 holds.
  const sources = packWeightReference({ weight: plain.map((_, i) => i) }, columns, blocks);
  for (const [i, source] of sources.entries()) plain[source] = values[i]!;
  return plain;
}
