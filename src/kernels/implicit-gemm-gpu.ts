/**
 * Which program computes a product on a GPU: tiles of the ALU, and of subgroup matrices where the
 * device has them, under one key of the tuning table. Weights in blocks leave the choice among those
 * that load them; a design chosen for the plain weight is chosen for its blocks, too.
 */
import { format, ShapeError, type Target } from '../engine/kernel.ts';
import { aluDesigns, gemmKey } from './alu-tiles.ts';
import { choose } from './designs.ts';
import type { ImplicitGemm, Program } from './gemm-program.ts';
import { aluProgram } from './implicit-gemm-alu.ts';
import { matrixFamily } from './on-demand.ts';

export function gpuProgram(gemm: ImplicitGemm, target: Target): Program {
  const matrices = gemm.rowNorm ? undefined : matrixFamily(target);
  const [first, ...others] = matrices?.gemmDesigns(gemm, target) ?? [];
  if (gemm.blocks && first === undefined) {
    const { k, n } = gemm.blocks;
    throw new ShapeError(
      `weight is ${format(gemm.weight)}, in blocks of ${k} x ${n} that no design for this product and target reads`,
    );
  }
  if (!matrices || first === undefined) return aluProgram(gemm, target);
  const own = [first, ...others] as const;
  const tiles = aluDesigns(gemm, target);
  const candidates = gemm.blocks
    ? own
    : matrices.fillsMatrices(gemm)
      ? ([...own, ...tiles] as const)
      : ([...tiles, ...own] as const);
  const choice = choose(gemmKey(gemm), candidates, target);
  const design = matrices.matrixDesign(choice.design, gemm, target);
  return design
    ? matrices.matrixProgram(gemm, { design, choice, target })
    : aluProgram(gemm, target, choice);
}
