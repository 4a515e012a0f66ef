/** Firefox's WebGPU differs in ways that nothing but its name tells. */
export const isFirefox = /\bFirefox\//.test(globalThis.navigator?.userAgent ?? '');
