/** Every op a graph may contain and the kernel factory it lowers to. */
import type { Kernel, Target, TensorType } from '../engine/kernel.ts';
import { activation } from '../kernels/activation.ts';
import { affine } from '../kernels/affine.ts';
import { attention } from '../kernels/attention.ts';
import { blendEdges } from '../kernels/blend-edges.ts';
import { waveletLow, ycbcrFix } from '../kernels/color-fix.ts';
import { concat } from '../kernels/concat.ts';
import { conv2d } from '../kernels/conv2d.ts';
import { crop } from '../kernels/crop.ts';
import { gemmPartial, gemmReduce } from '../kernels/gemm-split.ts';
import { batchedLinear } from '../kernels/batched-linear.ts';
import { geglu } from '../kernels/geglu.ts';
import { groupNormFinalize, groupNormPartial } from '../kernels/group-norm-stats.ts';
import { groupNormApply } from '../kernels/group-norm.ts';
import { groupNorm } from '../kernels/group-norm-small.ts';
import { layerNorm } from '../kernels/layer-norm.ts';
import { linear } from '../kernels/matmul.ts';
import { normalNoise } from '../kernels/normal-noise.ts';
import { packWeight } from '../kernels/on-demand.ts';
import { posterior } from '../kernels/posterior.ts';
import { reflectPad } from '../kernels/reflect-pad.ts';
import { bicubic, bicubicAntialias } from '../kernels/resize.ts';
import { blendTile, cropTiles } from '../kernels/tiles.ts';
import { timestepEmbedding } from '../kernels/timestep-embedding.ts';
import { upsampleConv2d } from '../kernels/upsample-conv2d.ts';
import { upsampleNearest } from '../kernels/upsample.ts';
import { winogradInput } from '../kernels/winograd-input.ts';
import { winogradOutput } from '../kernels/winograd-output.ts';
import { winogradWeight } from '../kernels/winograd-weight.ts';
import type { Tensor } from './graph.ts';

const OPS = {
  activation,
  affine,
  attention,
  batchedLinear,
  bicubic,
  bicubicAntialias,
  blendEdges,
  blendTile,
  concat,
  conv2d,
  crop,
  cropTiles,
  geglu,
  gemmPartial,
  gemmReduce,
  groupNorm,
  groupNormApply,
  groupNormFinalize,
  groupNormPartial,
  layerNorm,
  linear,
  normalNoise,
  packWeight,
  posterior,
  reflectPad,
  timestepEmbedding,
  upsampleConv2d,
  upsampleNearest,
  waveletLow,
  winogradInput,
  winogradOutput,
  winogradWeight,
  ycbcrFix,
} as const;

export type OpName = keyof typeof OPS;
type Factory<K extends OpName> = (typeof OPS)[K];

/** The op's inputs with tensors in place of types. */
export type OpInputs<K extends OpName> = {
  readonly [Name in keyof Parameters<Factory<K>>[0]]: undefined extends Parameters<
    Factory<K>
  >[0][Name]
    ? Tensor | undefined
    : Tensor;
};
/** `{}` for ops without constants. */
export type OpConstants<K extends OpName> = Parameters<Factory<K>>[1] extends undefined
  ? Readonly<Record<string, never>>
  : Parameters<Factory<K>>[1];

/** The kernel of one node. The table pairs op and arguments; TypeScript cannot follow that pairing. */
export function kernelOf(
  op: OpName,
  inputs: Readonly<Record<string, TensorType | undefined>>,
  constants: unknown,
  target: Target,
): Kernel {
  const factory = OPS[op] as unknown as (i: unknown, c: unknown, t: Target) => Kernel;
  return factory(inputs, constants, target);
}
