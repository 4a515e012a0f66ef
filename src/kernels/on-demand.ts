/**
 * Designs that only some devices need, loaded when such a device is there: those for CPU rasterisers, and
 * those on subgroup matrices. A page with a GPU loads neither (docs/decisions/0010).
 *
 * What is kept is code, once for all devices, as modules are; a target stays plain data.
 */
import { type Blocks, type Kernel, ShapeError, type Target } from '../engine/kernel.ts';
import type { PackWeightInputs } from './pack-weight.ts';

type CpuDesigns = typeof import('./designs-cpu.ts');
type MatrixDesigns = typeof import('./designs-matrix.ts');

let cpu: CpuDesigns | undefined;
let matrix: MatrixDesigns | undefined;

/** Before the first kernel is made for a target. `graph/open-context.ts` does it for a device's. */
export async function loadKernels(target: Pick<Target, 'family' | 'matrix'>): Promise<void> {
  if (target.family === 'cpu') cpu ??= await import('./designs-cpu.ts');
  if (target.matrix) matrix ??= await import('./designs-matrix.ts');
}

export function cpuDesigns(): CpuDesigns {
  if (!cpu) throw new Error(missing('CPU adapters'));
  return cpu;
}

/** Undefined where the target has no subgroup matrices. */
export function matrixDesigns(target: Pick<Target, 'matrix'>): MatrixDesigns | undefined {
  if (!target.matrix) return undefined;
  if (!matrix) throw new Error(missing('subgroup matrices'));
  return matrix;
}

/** The op (pack-weight.ts), which only graphs for subgroup matrices have. */
export const packWeight: (inputs: PackWeightInputs, blocks: Blocks, target: Target) => Kernel = (
  inputs,
  blocks,
  target,
) => {
  const designs = matrixDesigns(target);
  if (!designs) throw new ShapeError('packWeight is for targets with subgroup matrices');
  return designs.packWeight(inputs, blocks);
};

const missing = (what: string): string =>
  `the kernels for ${what} are not loaded: make the context by openContext(device), or await loadKernels(target)`;
