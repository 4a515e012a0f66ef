declare module 'wgsl-preprocessor/wgsl-preprocessor.js' {
  /** Tagged template that keeps or drops the lines between `#if`, `#elif`, `#else`, `#endif`. */
  export function wgsl(strings: TemplateStringsArray, ...values: readonly unknown[]): string;
}
