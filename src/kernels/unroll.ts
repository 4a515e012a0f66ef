/**
 * Loops unrolled in the text of a shader. Arrays indexed by a loop counter end up in memory, so
 * programs that live in registers name each one and repeat the lines that use them.
 */
export const unroll = (count: number, make: (i: number) => string, separator = '\n'): string =>
  Array.from({ length: count }, (_, i) => make(i)).join(separator);
