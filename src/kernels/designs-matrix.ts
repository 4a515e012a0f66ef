/** Designs on subgroup matrices: on-demand.ts. */
export { attentionMatrixWide, wideDesigns } from './attention-matrix-wide.ts';
export { attentionMatrix, matrixDesigns as attentionDesigns } from './attention-matrix.ts';
export { matrixProgram } from './implicit-gemm-matrix.ts';
export { fillsMatrices, matrixDesign, matrixDesigns as gemmDesigns } from './matrix-tiles.ts';
