/** Designs on subgroup matrices: on-demand.ts. */
export { attentionMatrixWide, wideDesigns } from './attention-matrix-wide.ts';
export { attentionMatrix, attentionDesigns } from './attention-matrix.ts';
export { matrixProgram } from './implicit-gemm-matrix.ts';
export { fillsMatrices, matrixDesign, gemmDesigns } from './matrix-tiles.ts';
