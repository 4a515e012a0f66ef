/** Designs for CPU rasterisers: on-demand.ts. */
export { attentionLanes, lanesDesigns } from './attention-lanes.ts';
export { cpuProgram } from './implicit-gemm-cpu.ts';
