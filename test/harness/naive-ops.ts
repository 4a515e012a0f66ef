/** Layers as plain loops over f64 arrays: images [N, C, H, W], sequences [N, L, C]. See naive-models.ts. */
import { f16BitsToF32 } from '../../src/weights/half.ts';

export interface Naive {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Weights below a prefix; every one that is read is noted in `used`. */
export class Scope {
  readonly #tensors: ReadonlyMap<string, Naive>;
  readonly #prefix: string;
  readonly used: Set<string>;

  constructor(tensors: ReadonlyMap<string, Naive>, prefix = '', used = new Set<string>()) {
    this.#tensors = tensors;
    this.#prefix = prefix;
    this.used = used;
  }

  at(path: string): Scope {
    return new Scope(this.#tensors, `${this.#prefix}${path}.`, this.used);
  }

  has(name: string): boolean {
    return this.#tensors.has(this.#prefix + name);
  }

  get(name: string): Naive {
    const tensor = this.#tensors.get(this.#prefix + name);
    if (!tensor) throw new Error(`no weight ${this.#prefix}${name}`);
    this.used.add(this.#prefix + name);
    return tensor;
  }
}

export const naive = (shape: readonly number[], data: ArrayLike<number>): Naive => ({
  shape,
  data: Float64Array.from(data),
});

export const fromHalf = (shape: readonly number[], bits: Uint16Array): Naive => ({
  shape,
  data: Float64Array.from(bits, f16BitsToF32),
});

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const zeros = (shape: readonly number[]): Naive => ({ shape, data: new Float64Array(size(shape)) });

export const map = (x: Naive, f: (v: number, i: number) => number): Naive => ({
  shape: x.shape,
  data: x.data.map(f),
});
export const sum = (a: Naive, b: Naive): Naive => {
  if (a.shape.join() !== b.shape.join()) throw new Error(`${a.shape.join()} + ${b.shape.join()}`);
  return map(a, (v, i) => v + b.data[i]!);
};
export const silu = (x: Naive): Naive => map(x, (v) => v / (1 + Math.exp(-v)));

export function conv(
  x: Naive,
  w: Scope,
  {
    stride = 1,
    pad,
  }: {
    readonly stride?: number;
    readonly pad?: readonly [number, number, number, number];
  } = {},
): Naive {
  const weight = w.get('weight');
  const [n = 1, ci = 1, h = 1, width = 1] = x.shape;
  const [co = 1, inputs = 1, kh = 1, kw = 1] = weight.shape;
  if (inputs !== ci) throw new Error(`conv of ${ci} channels by [${weight.shape.join()}]`);
  const side = (kh - 1) / 2;
  const [top, left, bottom, right] = pad ?? [side, side, side, side];
  const ho = Math.floor((h + top + bottom - kh) / stride) + 1;
  const wo = Math.floor((width + left + right - kw) / stride) + 1;
  const y = zeros([n, co, ho, wo]);
  const bias = w.get('bias').data;
  for (let b = 0; b < n; b++) {
    for (let o = 0; o < co; o++) {
      const to = (b * co + o) * ho * wo;
      y.data.fill(bias[o]!, to, to + ho * wo);
      for (let i = 0; i < ci; i++) {
        const from = (b * ci + i) * h * width;
        for (let ky = 0; ky < kh; ky++) {
          for (let kx = 0; kx < kw; kx++) {
            const k = weight.data[((o * ci + i) * kh + ky) * kw + kx]!;
            for (let oy = 0; oy < ho; oy++) {
              const iy = oy * stride + ky - top;
              if (iy < 0 || iy >= h) continue;
              for (let ox = 0; ox < wo; ox++) {
                const ix = ox * stride + kx - left;
                if (ix >= 0 && ix < width)
                  y.data[to + oy * wo + ox]! += k * x.data[from + iy * width + ix]!;
              }
            }
          }
        }
      }
    }
  }
  return y;
}

/** y = x·Wᵀ + b along the last axis; the bias may be missing, the weight stored as 1x1 convolution. */
export function linear(x: Naive, w: Scope): Naive {
  const weight = w.get('weight');
  const [n = 1, k = 1] = weight.shape;
  if (k !== x.shape.at(-1)) throw new Error(`[${x.shape.join()}] by [${weight.shape.join()}]`);
  const bias = w.has('bias') ? w.get('bias').data : undefined;
  const y = zeros([...x.shape.slice(0, -1), n]);
  for (let i = 0; i < y.data.length; i++) {
    const row = Math.floor(i / n) * k;
    const column = (i % n) * k;
    let s = bias?.[i % n] ?? 0;
    for (let j = 0; j < k; j++) s += x.data[row + j]! * weight.data[column + j]!;
    y.data[i] = s;
  }
  return y;
}

function normalise(values: Float64Array, eps: number): Float64Array {
  const mean = values.reduce((s, v) => s + v, 0) / values.length;
  const variance = values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length;
  return values.map((v) => (v - mean) / Math.sqrt(variance + eps));
}

export function groupNorm(
  x: Naive,
  w: Scope,
  { groups, eps }: { readonly groups: number; readonly eps: number },
): Naive {
  const [n = 1, c = 1, h = 1, width = 1] = x.shape;
  const [gamma, beta] = [w.get('weight').data, w.get('bias').data];
  const y = zeros(x.shape);
  const length = (c / groups) * h * width;
  for (let g = 0; g < n * groups; g++) {
    const at = g * length;
    y.data.set(normalise(x.data.subarray(at, at + length), eps), at);
  }
  return map(y, (v, i) => {
    const channel = Math.floor(i / (h * width)) % c;
    return v * gamma[channel]! + beta[channel]!;
  });
}

export function layerNorm(x: Naive, w: Scope, eps: number): Naive {
  const c = x.shape.at(-1)!;
  const [gamma, beta] = [w.get('weight').data, w.get('bias').data];
  const y = zeros(x.shape);
  for (let at = 0; at < x.data.length; at += c) {
    y.data.set(normalise(x.data.subarray(at, at + c), eps), at);
  }
  return map(y, (v, i) => v * gamma[i % c]! + beta[i % c]!);
}

/** softmax(q·kᵀ/√d)·v; keys and values of one image serve every image. */
export function attend([q, k, v]: readonly [q: Naive, k: Naive, v: Naive], heads: number): Naive {
  const [n = 1, lq = 1, c = 1] = q.shape;
  const [nk = 1, lk = 1] = k.shape;
  const d = c / heads;
  if (!Number.isInteger(d)) throw new Error(`${c} channels, ${heads} heads`);
  const y = zeros(q.shape);
  const p = new Float64Array(lk);
  for (let row = 0; row < n * lq; row++) {
    const source = (nk === 1 ? 0 : Math.floor(row / lq)) * lk;
    for (let head = 0; head < heads; head++) {
      const at = row * c + head * d;
      for (let j = 0; j < lk; j++) {
        let s = 0;
        for (let i = 0; i < d; i++) s += q.data[at + i]! * k.data[(source + j) * c + head * d + i]!;
        p[j] = s / Math.sqrt(d);
      }
      const top = p.reduce((a, b) => Math.max(a, b));
      let total = 0;
      for (let j = 0; j < lk; j++) total += p[j] = Math.exp(p[j]! - top);
      for (let j = 0; j < lk; j++) {
        for (let i = 0; i < d; i++) {
          y.data[at + i]! += (p[j]! / total) * v.data[(source + j) * c + head * d + i]!;
        }
      }
    }
  }
  return y;
}

/** First half times gelu of the second. */
export function geglu(x: Naive): Naive {
  const c = x.shape.at(-1)! / 2;
  const y = zeros([...x.shape.slice(0, -1), c]);
  return map(y, (_, i) => {
    const at = Math.floor(i / c) * 2 * c + (i % c);
    const gate = x.data[at + c]!;
    return x.data[at]! * 0.5 * gate * (1 + erf(gate / Math.SQRT2));
  });
}

/** By its Taylor series, and 1 beyond 6 (1 − erf(6) is 2e-17). */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
    // All terms of e^(x²)·erf(x) have one sign: nothing cancels.
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

export function concat(a: Naive, b: Naive): Naive {
  const [n = 1, ca = 1, h = 1, width = 1] = a.shape;
  const cb = b.shape[1]!;
  const y = zeros([n, ca + cb, h, width]);
  for (let i = 0; i < n; i++) {
    const [la, lb] = [ca * h * width, cb * h * width];
    y.data.set(a.data.subarray(i * la, (i + 1) * la), i * (la + lb));
    y.data.set(b.data.subarray(i * lb, (i + 1) * lb), i * (la + lb) + la);
  }
  return y;
}

/** Nearest neighbour. */
export function upsample(x: Naive, height: number, width: number): Naive {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  return map(zeros([n, c, height, width]), (_, i) => {
    const column = Math.floor(((i % width) * w) / width);
    const row = Math.floor(((Math.floor(i / width) % height) * h) / height);
    return x.data[(Math.floor(i / (width * height)) * h + row) * w + column]!;
  });
}

/** [N, C, H, W] → [N, H·W, C]. */
export function tokens(x: Naive): Naive {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  return map(zeros([n, h * w, c]), (_, i) => {
    const pixel = Math.floor(i / c) % (h * w);
    return x.data[(Math.floor(i / (c * h * w)) * c + (i % c)) * h * w + pixel]!;
  });
}

/** [N, H·W, C] → [N, C, H, W]. */
export function image(x: Naive, shape: readonly number[]): Naive {
  const [, c = 1, h = 1, w = 1] = shape;
  return map(zeros(shape), (_, i) => {
    const channel = Math.floor(i / (h * w)) % c;
    return x.data[(Math.floor(i / (c * h * w)) * h * w + (i % (h * w))) * c + channel]!;
  });
}

/** Angles are rounded to f32 as the official code's are: at t = 199 that moves outputs by 5e-6. */
export function sinusoid(
  timestep: number,
  width: number,
  { cosFirst, shift }: { readonly cosFirst: boolean; readonly shift: number },
): Naive {
  const { fround } = Math;
  const half = width / 2;
  return map(zeros([1, width]), (_, i) => {
    const exponent = fround(fround(fround(-Math.log(10_000)) * (i % half)) / (half - shift));
    const angle = fround(timestep * fround(Math.exp(exponent)));
    return i < half === cosFirst ? Math.cos(angle) : Math.sin(angle);
  });
}
