/**
 * Kernels that a page with a GPU and a small network never makes, loaded when one is called for
 * (docs/decisions/0010): designs for CPU rasterisers and those on subgroup matrices, attention with wide
 * heads, and the ops of rare-ops.ts.
 */
import type { Target } from '../engine/kernel.ts';
import { onDemand } from '../engine/on-demand.ts';

/** What target `cpu` calls for. */
export const cpuDesigns = onDemand('designs for CPU adapters', () => import('./designs-cpu.ts'));
/** Attention with heads wider than other designs take, and on CPU adapters without subgroups. */
export const tiledAttention = onDemand('attention in tiles', () => import('./attention-tiles.ts'));
/** Ops that only some graphs have. */
export const rareOps = onDemand('the kernels of rare ops', () => import('./rare-ops.ts'));

const matrix = onDemand('designs on subgroup matrices', () => import('./designs-matrix.ts'));

/** Undefined where the target has no subgroup matrices. */
export const matrixFamily = (target: Pick<Target, 'matrix'>) =>
  target.matrix ? matrix.get() : undefined;

/** What every plan for a target calls for. */
export async function loadDesigns(target: Pick<Target, 'family' | 'matrix'>): Promise<void> {
  await Promise.all([target.family === 'cpu' && cpuDesigns.load(), target.matrix && matrix.load()]);
}

/** All that a kernel for a target may call for: before kernels are made by hand. */
export async function loadKernels(target: Pick<Target, 'family' | 'matrix'>): Promise<void> {
  await Promise.all([loadDesigns(target), tiledAttention.load(), rareOps.load()]);
}
