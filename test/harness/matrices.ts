/** Subgroup matrices as devices are expected to have them: docs/kernels.md. */
import type { SubgroupMatrix, Target } from '../../src/engine/kernel.ts';

const F16 = { m: 16, n: 16, k: 16, component: 'f16' } as const;

export const NVIDIA: SubgroupMatrix = {
  ...F16,
  subgroupSize: 32,
  isPinned: false,
};
export const AMD: SubgroupMatrix = {
  ...F16,
  subgroupSize: 64,
  isPinned: true,
};
export const INTEL: SubgroupMatrix = {
  ...F16,
  m: 8,
  subgroupSize: 32,
  isPinned: true,
};
/** Narrow subgroups, of which a workgroup has eight. */
export const INTEL_16: SubgroupMatrix = { ...INTEL, subgroupSize: 16 };
export const APPLE: SubgroupMatrix = {
  m: 8,
  n: 8,
  k: 8,
  component: 'f32',
  subgroupSize: 32,
  isPinned: false,
};

/** A GPU with these matrices; other kernels know its subgroups only where it has one size. */
export const withMatrix = (matrix: SubgroupMatrix): Target => ({
  family: 'alu',
  shaderF16: true,
  subgroupSize: matrix === NVIDIA ? 32 : 0,
  matrix,
});

/** `f16 16x16x16 of 32` */
export const nameOfMatrix = ({ m, n, k, component, subgroupSize }: SubgroupMatrix): string =>
  `${component} ${m}x${n}x${k} of ${subgroupSize}`;
