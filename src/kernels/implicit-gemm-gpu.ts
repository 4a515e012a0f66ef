/**
 * Which program computes a product on a GPU: tiles of the ALU, and of subgroup matrices where the
 * device has them, under one key of the tuning table.
 */
import type { Target } from '../engine/kernel.ts';
import { aluDesigns, gemmKey } from './alu-tiles.ts';
import { choose } from './designs.ts';
import type { ImplicitGemm, Program } from './gemm-program.ts';
import { aluProgram } from './implicit-gemm-alu.ts';
import { matrixDesigns } from './on-demand.ts';

export function gpuProgram(gemm: ImplicitGemm, target: Target): Program {
  const tiles = aluDesigns(gemm, target);
  const matrices = matrixDesigns(target);
  const [first, ...others] = matrices?.gemmDesigns(gemm, target) ?? [];
  if (!matrices || first === undefined || gemm.rowNorm) return aluProgram(gemm, target);
  const candidates = matrices.fillsMatrices(gemm)
    ? ([first, ...others, ...tiles] as const)
    : ([...tiles, first, ...others] as const);
  const choice = choose(gemmKey(gemm), candidates, target);
  const design = matrices.matrixDesign(choice.design, gemm, target);
  return design
    ? matrices.matrixProgram(gemm, { design, choice, target })
    : aluProgram(gemm, target, choice);
}
