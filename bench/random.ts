/** Seeded data: xorshift32 uniform and Box–Muller normal. */
export function uniform(seed: number): () => number {
  let s = (seed * 0x9e3779b1) >>> 0 || 1;
  return () => {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return s / 2 ** 32;
  };
}

export function normal(length: number, seed: number, { mean = 0, std = 1 } = {}): Float32Array {
  const next = uniform(seed);
  for (let i = 0; i < 8; i++) next();
  return Float32Array.from({ length }, () => {
    const r = Math.sqrt(-2 * Math.log(1 - next()));
    return mean + std * r * Math.cos(2 * Math.PI * next());
  });
}
