/**
 * Activations that kernels apply to their result before storing it: WGSL and f64 reference.
 *
 *   silu(v) = v / (1 + exp(-v))
 *   gelu(v) = v/2 * (1 + erf(v / √2))      the exact form; the tanh form is off by up to 5e-4
 *   quickGelu(v) = v / (1 + exp(-1.702·v))      of some CLIP text encoders
 */
export type Activation = 'none' | 'silu' | 'gelu' | 'quickGelu';

/**
 * erf by Abramowitz & Stegun 7.1.26 has 1.5e-7 absolute error, which is f32 resolution near 1 but
 * not relative accuracy near 0, where gelu(v) = v/2 + v·erf/2 needs none.
 */
const ERF = `fn erf(v: vec4f) -> vec4f {
  let a = abs(v);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(v) * (1.0 - poly * exp(-a * a));
}`;

/** `fn activate(v: vec4f) -> vec4f`, or of another `name`. */
export function activationWgsl(activation: Activation, name = 'activate'): string {
  const define = (value: string): string => `fn ${name}(v: vec4f) -> vec4f { return ${value}; }`;
  switch (activation) {
    case 'none':
      return define('v');
    case 'silu':
      return define('v / (1.0 + exp(-v))');
    case 'gelu':
      return `${ERF}\n${define('0.5 * v * (1.0 + erf(v * 0.70710678))')}`;
    case 'quickGelu':
      return define('v / (1.0 + exp(-1.702 * v))');
  }
}

export function activate(activation: Activation, v: number): number {
  switch (activation) {
    case 'none':
      return v;
    case 'silu':
      return v / (1 + Math.exp(-v));
    case 'gelu':
      return 0.5 * v * (1 + erf(v / Math.SQRT2));
    case 'quickGelu':
      return v / (1 + Math.exp(-1.702 * v));
  }
}

/** erf in f64: Maclaurin series for |x| < 3, continued fraction of erfc beyond. Error < 1e-14. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 200; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}
