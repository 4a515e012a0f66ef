/** Replaced by the build with a hash of src/kernels and what they share with the check of matrices (scripts/build.mjs, esbuild `define`). */
declare const INVSR_KERNELS: string | undefined;
/** Designs measured with other kernels mean nothing. */
export const KERNEL_HASH: string = typeof INVSR_KERNELS === 'undefined' ? 'dev' : INVSR_KERNELS;
