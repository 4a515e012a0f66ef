import { type Blocks, format, type Shape } from '../../src/engine/kernel.ts';
import { packWeight, packWeightReference } from '../../src/kernels/pack-weight.ts';
import type { KernelCase } from './cases.ts';

function packWeightCase(shape: Shape, blocks: Blocks): KernelCase {
  const weight = { dtype: 'f16', shape } as const;
  return {
    name: `packWeight ${format(weight)} in ${blocks.k}x${blocks.n}`,
    tags: ['edge'],
    inputs: { weight },
    kernel: () => packWeight({ weight }, blocks),
    reference: (data) =>
      packWeightReference({ weight: data['weight'] as Float32Array }, shape.at(-1)!, blocks),
    maxNmse: 0, // bits are moved
  };
}

export const cases: readonly KernelCase[] = [
  packWeightCase([16, 16], { k: 16, n: 16 }),
  packWeightCase([32, 80], { k: 16, n: 16 }),
  packWeightCase([2, 3, 24, 8], { k: 8, n: 8 }),
  packWeightCase([3, 48, 32], { k: 16, n: 16 }),
];
