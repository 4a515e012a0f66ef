/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The key by which `using` finds what to call. Safari 26 has no `Symbol.dispose`; compilers look for this one
 * then, as esbuild does.
 */
export const DISPOSE: typeof Symbol.dispose =
  Symbol.dispose ?? (Symbol.for('Symbol.dispose') as typeof Symbol.dispose);
