/** Every kernel's conformance cases. A unit test fails when a file of src/kernels is missing here. */
import { cases as activation } from './activation.cases.ts';
import { cases as affine } from './affine.cases.ts';
import { cases as attention } from './attention.cases.ts';
import { cases as batchedLinear } from './batched-linear.cases.ts';
import { cases as blendEdges } from './blend-edges.cases.ts';
import type { KernelCase } from './cases.ts';
import { cases as concat } from './concat.cases.ts';
import { cases as conv2d } from './conv2d.cases.ts';
import { cases as crop } from './crop.cases.ts';
import { cases as geglu } from './geglu.cases.ts';
import { cases as gemmSplit } from './gemm-split.cases.ts';
import { cases as groupNorm } from './group-norm.cases.ts';
import { cases as groupNormApply } from './group-norm-apply.cases.ts';
import { cases as groupNormFinalize } from './group-norm-finalize.cases.ts';
import { cases as groupNormPartial } from './group-norm-partial.cases.ts';
import { cases as layerNorm } from './layer-norm.cases.ts';
import { cases as linear } from './linear.cases.ts';
import { cases as nonFinite } from './non-finite.cases.ts';
import { cases as normalNoise } from './normal-noise.cases.ts';
import { cases as packWeight } from './pack-weight.cases.ts';
import { cases as posterior } from './posterior.cases.ts';
import { cases as reflectPad } from './reflect-pad.cases.ts';
import { cases as relayout } from './relayout.cases.ts';
import { cases as resize } from './resize.cases.ts';
import { cases as tiles } from './tiles.cases.ts';
import { cases as timestepEmbedding } from './timestep-embedding.cases.ts';
import { cases as upsampleConv2d } from './upsample-conv2d.cases.ts';
import { cases as upsampleNearest } from './upsample-nearest.cases.ts';
import { cases as waveletLow } from './wavelet-low.cases.ts';
import { cases as winogradInput } from './winograd-input.cases.ts';
import { cases as winogradOutput } from './winograd-output.cases.ts';
import { cases as winogradWeight } from './winograd-weight.cases.ts';
import { cases as ycbcrFix } from './ycbcr-fix.cases.ts';

export const REGISTRY: Readonly<Record<string, readonly KernelCase[]>> = {
  activation,
  affine,
  attention,
  'batched-linear': batchedLinear,
  'blend-edges': blendEdges,
  concat,
  conv2d,
  crop,
  geglu,
  'gemm-split': gemmSplit,
  'group-norm': groupNorm,
  'group-norm-apply': groupNormApply,
  'group-norm-finalize': groupNormFinalize,
  'group-norm-partial': groupNormPartial,
  'layer-norm': layerNorm,
  linear,
  'non-finite': nonFinite,
  'normal-noise': normalNoise,
  'pack-weight': packWeight,
  posterior,
  'reflect-pad': reflectPad,
  relayout,
  resize,
  tiles,
  'timestep-embedding': timestepEmbedding,
  'upsample-conv2d': upsampleConv2d,
  'upsample-nearest': upsampleNearest,
  'wavelet-low': waveletLow,
  'winograd-input': winogradInput,
  'winograd-output': winogradOutput,
  'winograd-weight': winogradWeight,
  'ycbcr-fix': ycbcrFix,
};
