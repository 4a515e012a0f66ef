/**
 * Ops that only some graphs have: on-demand.ts. On a GPU, graph rewriting leaves none of them in the
 * networks of invsr-nano unless they shall be compact (test/unit/rare-ops.test.ts); they are those of
 * options, tuning, large networks and tiles.
 */
export { activation } from './activation.ts';
export { batchedLinear } from './batched-linear.ts';
export { blendEdges } from './blend-edges.ts';
export { crop } from './crop.ts';
export { geglu } from './geglu.ts';
export { gemmPartial, gemmReduce } from './gemm-split.ts';
export { groupNormFinalize } from './group-norm-finalize.ts';
export { groupNormPartial } from './group-norm-partial.ts';
export { groupNormApply } from './group-norm-apply.ts';
export { layerNorm } from './layer-norm.ts';
export { packWeight } from './pack-weight.ts';
export { upsampleNearest } from './upsample-nearest.ts';
export { winogradInput } from './winograd-input.ts';
export { winogradOutput } from './winograd-output.ts';
export { winogradWeight } from './winograd-weight.ts';
export { ycbcrFix } from './ycbcr-fix.ts';
