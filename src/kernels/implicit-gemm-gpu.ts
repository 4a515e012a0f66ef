/**
 * Which program computes a product on a GPU: tiles of the ALU, and of subgroup matrices where the
 * device has them, under one key of the tuning table.
 */
import type { Target } from '../engine/kernel.ts';
import { aluDesigns, gemmKey } from './alu-tiles.ts';
import { choose } from './designs.ts';
import type { ImplicitGemm, Program } from './gemm-program.ts';
import { aluProgram } from './implicit-gemm-alu.ts';
import { matrixProgram } from './implicit-gemm-matrix.ts';
import { fillsMatrices, matrixDesign, matrixDesigns } from './matrix-tiles.ts';

export function gpuProgram(gemm: ImplicitGemm, target: Target): Program {
  const tiles = aluDesigns(gemm, target);
  const [first, ...others] = matrixDesigns(gemm, target);
  if (first === undefined || gemm.rowNorm) return aluProgram(gemm, target);
  const candidates = fillsMatrices(gemm)
    ? ([first, ...others, ...tiles] as const)
    : ([...tiles, first, ...others] as const);
  const choice = choose(gemmKey(gemm), candidates, target);
  const design = matrixDesign(choice.design, gemm, target);
  return design ? matrixProgram(gemm, design, choice) : aluProgram(gemm, target, choice);
}
