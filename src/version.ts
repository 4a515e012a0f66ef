/** Replaced by the build with package.json's version (scripts/build.mjs, esbuild `define`). */
declare const INVSR_VERSION: string | undefined;
export const VERSION: string = typeof INVSR_VERSION === 'undefined' ? 'dev' : INVSR_VERSION;
