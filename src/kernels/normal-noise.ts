/**
 * Gaussian noise that depends on position, channel, seed and stage alone: never on the tile or the
 * batch an element is computed in.
 *
 *   [w0, w1, w2, w3] = philox(counter = [x, y, channel/4, stage], key = [seed low, seed high])
 *   u = ((w0 >> 8) | 1)·2^-24,  v = (w1 >> 8)·2^-24          likewise w2 and w3
 *   [z0, z1] = sqrt(-2·ln u)·[cos 2πv, sin 2πv]              four values for four channels
 *
 *   origins   u32 [B, 2]            (y, x) of each tile's first latent pixel in the whole image
 *   seed      u32 [4]               (low, high, 0, 0)
 *   y         f32 [B, h, w, C → pad], padding channels zero
 *
 * ln, cos and sin are polynomials of exactly reduced arguments, because WGSL promises too little:
 * log has an absolute error of 2^-21, which near u = 1 is all of sqrt(-2·ln u), cos one of 2^-11.
 * One invocation per four channels of a pixel; some 500 operations for 16 bytes, of a small tensor.
 */
import {
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  roundUp4,
  ShapeError,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { IMAGE_MAIN, imageGrid, imageOf } from './elementwise.ts';
import { philox, PHILOX_WGSL } from './philox.ts';

export interface NormalNoiseInputs {
  readonly origins: TensorType;
  readonly seed: TensorType;
}

export interface NormalNoiseConstants {
  /** Which of a run's draws this is. */
  readonly stage: number;
  readonly height: number;
  readonly width: number;
  /** C, without padding. */
  readonly channels: number;
}

/**
 * Coefficients of cos and sin on [-π/4, π/4] are Cephes' `coscof` and `sincof` (error below 1e-7):
 * https://github.com/jeremybarnes/cephes/blob/efe829d3afcd419adee2d76d06ae98bc145dc477/single/sinf.c
 * The logarithm is the series of 2·atanh(s), whose first dropped term is below 1e-9 for |s| ≤ 0.172.
 */
const BOX_MULLER_WGSL = `const LN_2: f32 = 0.693147180559945;
const SQRT_2: f32 = 1.41421356237;
const TURN: f32 = 6.283185307179586;

/** -2·ln(n / 2^24) for odd n below 2^24. */
fn minus_two_ln(n: u32) -> f32 {
  let bits = bitcast<u32>(f32(n));
  var m = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
  var e = i32(bits >> 23u) - 127 - 24;
  if (m > SQRT_2) { m *= 0.5; e++; }
  let s = (m - 1.0) / (m + 1.0);
  let t = s * s;
  let ln_m = 2.0 * s * (1.0 + t * (1.0 / 3.0 + t * (0.2 + t * (1.0 / 7.0 + t / 9.0))));
  return -2.0 * (f32(e) * LN_2 + ln_m);
}

/** cos and sin of 2π·n / 2^24 for n below 2^24. */
fn cos_sin(n: u32) -> vec2f {
  let quarter = (n + (1u << 21u)) >> 22u;
  let a = f32(i32(n) - i32(quarter << 22u)) * (TURN / 16777216.0);
  let t = a * a;
  let s = a + a * t * (-1.6666654611e-1 + t * (8.3321608736e-3 - t * 1.9515295891e-4));
  let c = 1.0 - 0.5 * t
    + t * t * (4.166664568298827e-2 + t * (-1.388731625493765e-3 + t * 2.443315711809948e-5));
  let turned = select(vec2f(c, s), vec2f(-s, c), (quarter & 1u) == 1u);
  return select(turned, -turned, (quarter & 2u) == 2u);
}

fn box_muller(a: u32, b: u32) -> vec2f {
  return sqrt(minus_two_ln((a >> 8u) | 1u)) * cos_sin(b >> 8u);
}`;

export function normalNoise(
  { origins, seed }: NormalNoiseInputs,
  { stage, height, width, channels }: NormalNoiseConstants,
): Kernel {
  const [n = 0] = origins.shape;
  expectShape('origins', origins, [n, 2]);
  expectShape('seed', seed, [4]);
  for (const [name, type] of Object.entries({ origins, seed })) {
    if (type.dtype !== 'u32') throw new ShapeError(`${name} is ${format(type)}, expected u32`);
  }

  const y: TensorType = {
    dtype: 'f32',
    shape: [n, height, width, roundUp4(channels)],
  };
  const image = imageOf('y', y);
  const params = {
    height: u32(height),
    width: u32(width),
    groups: u32(image.groups),
    channels: u32(channels),
    stage: u32(stage),
  };
  const vectors = n * height * width * image.groups;
  return {
    name: 'normalNoise',
    variant: `${format(y)} stage ${stage}`,
    bindings: { origins: 1, seed: 2 },
    params,
    output: { binding: 3, type: y },
    workgroups: imageGrid(image),
    // ten rounds of two wide products, two Box-Muller pairs
    cost: { flops: 500 * vectors, bytes: 16 * vectors },
    wgsl: `${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> origins: array<vec2u>;
@group(0) @binding(2) var<storage, read> seed: vec4u;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
${PHILOX_WGSL}
${BOX_MULLER_WGSL}

fn element(at: Position) {
  let origin = origins[at.n];
  let w = philox(vec4u(origin.y + at.x, origin.x + at.y, at.group, params.stage), seed.xy);
  let z = vec4f(box_muller(w.x, w.y), box_muller(w.z, w.w));
  let channel = 4u * at.group + vec4u(0u, 1u, 2u, 3u);
  y[at.i] = select(vec4f(0.0), z, channel < vec4u(params.channels));
}
${IMAGE_MAIN}
`,
  };
}

export function normalNoiseReference(
  { origins, seed }: { origins: Uint32Array; seed: Uint32Array },
  { stage, height, width, channels }: NormalNoiseConstants,
): Float32Array {
  const n = origins.length / 2;
  const groups = Math.ceil(channels / 4);
  const y = new Float32Array(n * height * width * groups * 4);
  const key = [seed[0] ?? 0, seed[1] ?? 0] as const;
  let at = 0;
  for (let tile = 0; tile < n; tile++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        for (let group = 0; group < groups; group++, at += 4) {
          const row = ((origins[2 * tile] ?? 0) + i) >>> 0;
          const column = ((origins[2 * tile + 1] ?? 0) + j) >>> 0;
          const [a, b, c, d] = philox([column, row, group, stage], key);
          const z = [...boxMuller(a, b), ...boxMuller(c, d)];
          y.set(z.slice(0, channels - 4 * group), at);
        }
      }
    }
  }
  return y;
}

function boxMuller(a: number, b: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(((a >>> 8) | 1) / 2 ** 24));
  const angle = (2 * Math.PI * (b >>> 8)) / 2 ** 24;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}
