/**
 * Which program computes a product on a GPU: designs of the ALU, and where subgroup matrices multiply
 * rightly those too, under one key of the tuning table.
 */
import type { Target } from '../engine/kernel.ts';
import { choose, sizeClass } from './designs.ts';
import type { ImplicitGemm, Program } from './gemm-program.ts';
import { aluProgram } from './implicit-gemm-alu.ts';
import { matrixProgram } from './implicit-gemm-matrix.ts';
import { fillsMatrices, matrixDesign, matrixDesigns } from './matrix-tiles.ts';

const ALU = 'alu';

export function gpuProgram(gemm: ImplicitGemm, target: Target): Program {
  const matrices = matrixDesigns(gemm, target);
  const [first, ...others] = matrices;
  if (first === undefined) return aluProgram(gemm, target);
  const candidates = fillsMatrices(gemm)
    ? ([first, ...others, ALU] as const)
    : ([ALU, ...matrices] as const);
  const choice = choose(gemmKey(gemm), candidates, target);
  const design = matrixDesign(choice.design, gemm, target);
  return design ? matrixProgram(gemm, design, choice) : { ...aluProgram(gemm, target), choice };
}

/** What a tuning table knows a product by, whatever the family that computes it. */
const gemmKey = ({ x, weight, taps, pixels, ...gemm }: ImplicitGemm): string =>
  sizeClass(`gemm ${x.dtype} ${weight.dtype} ${taps.y}x${taps.x}`, {
    m: gemm.batch * gemm.phases * pixels.height * pixels.width,
    n: gemm.channels,
    k: taps.y * taps.x * gemm.input.channels,
  });
