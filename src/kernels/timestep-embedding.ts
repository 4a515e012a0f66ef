/**
 * Sinusoidal embedding of one timestep.
 *
 *   f[j] = exp(-ln(10000)·j / (dim/2 - freqShift)),  j = 0 .. dim/2 - 1
 *   y    = [sin(t·f), cos(t·f)], or [cos(t·f), sin(t·f)] with flipSinToCos
 *
 *   y   f32 [1, dim], dim a multiple of 4
 *
 * The timestep is a constant, and GPU sines of arguments up to 1000 are useless (WGSL promises an
 * absolute error of 2^-11, and only within [-π, π]). So the values are computed here and travel in
 * the uniform struct; the shader stores them, 4·dim bytes. They follow the official code's f32
 * arithmetic, whose roundings move the embedding by up to 5e-5 at t = 999.
 */
import {
  f32,
  type Kernel,
  type Params,
  ShapeError,
  type Target,
  type TensorType,
} from '../engine/kernel.ts';
import { writeWgsl } from './storage.ts';

export interface TimestepEmbeddingConstants {
  readonly timestep: number;
  readonly dim: number;
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
}

/** Every device's uniform bindings hold 64 KiB. */
const MAX_DIM = 16_384;

export function timestepEmbedding(
  _: object,
  constants: TimestepEmbeddingConstants,
  target: Target,
): Kernel {
  const { timestep, dim } = constants;
  if (dim % 4 !== 0 || dim <= 0 || dim > MAX_DIM) {
    throw new ShapeError(`dim is ${dim}, expected a multiple of 4 up to ${MAX_DIM}`);
  }

  const y: TensorType = { dtype: 'f32', shape: [1, dim] };
  const params: Params = Object.fromEntries(
    embedding(constants, officialAngle).map((value, i) => [`value${i}`, f32(value)]),
  );
  return {
    name: 'timestepEmbedding',
    variant: `t ${timestep} dim ${dim}`,
    bindings: {},
    params,
    output: { binding: 1, type: y },
    workgroups: [dim / 4, 1, 1],
    cost: { flops: 0, bytes: 4 * dim },
    wgsl: `struct Params {
  values: array<vec4f, ${dim / 4}>,
}
@group(0) @binding(0) var<uniform> params: Params;
${writeWgsl('y', 1, 'f32', target)}

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3u) {
  store_y(workgroup.x, params.values[workgroup.x]);
}
`,
  };
}

/** t·f[j] in f64. */
function exactAngle({ timestep, dim, freqShift }: TimestepEmbeddingConstants, j: number): number {
  return timestep * Math.exp((-Math.log(10_000) * j) / (dim / 2 - freqShift));
}

/** t·f[j] with every intermediate result rounded to f32. */
function officialAngle(
  { timestep, dim, freqShift }: TimestepEmbeddingConstants,
  j: number,
): number {
  const { fround } = Math;
  const exponent = fround(fround(fround(-Math.log(10_000)) * j) / (dim / 2 - freqShift));
  return fround(timestep * expF32(exponent));
}

/** About 1/n! for n = 7 .. 2, from `xexpf` (see expF32). */
const EXP_COEFFICIENTS = [
  0.000198527617612853646278381, 0.00139304355252534151077271, 0.00833336077630519866943359,
  0.0416664853692054748535156, 0.166666671633720397949219, 0.5,
].map(Math.fround);

/**
 * exp as PyTorch computes it for f32 on a CPU: SLEEF's `expf_u10` with fused multiply-adds. Its
 * last bit differs from the correctly rounded exp for some arguments, which t amplifies. `xexpf` in
 * https://github.com/shibatch/sleef/blob/010189acf25b25579a3dae5aac6d40f4816cd4e7/src/libm/sleefsimdsp.c
 * (ln 2 in two parts: `L2Uf`, `L2Lf`)
 */
function expF32(x: number): number {
  const { fround } = Math;
  const fma = (a: number, b: number, c: number) => fround(a * b + c);
  const power = Math.round(fround(x * fround(Math.LOG2E)));
  const s = fma(power, -1.428606765330187045e-6, fma(power, -0.693145751953125, x));
  const u = EXP_COEFFICIENTS.reduce((sum, c) => fma(sum, s, c));
  return fround(1 + fma(fround(s * s), u, s)) * 2 ** power;
}

function embedding(constants: TimestepEmbeddingConstants, angleOf: typeof exactAngle): number[] {
  const angles = Array.from({ length: constants.dim / 2 }, (_, j) => angleOf(constants, j));
  const sines = angles.map(Math.sin);
  const cosines = angles.map(Math.cos);
  return constants.flipSinToCos ? [...cosines, ...sines] : [...sines, ...cosines];
}

/** In f64 throughout. */
export const timestepEmbeddingReference = (constants: TimestepEmbeddingConstants): Float32Array =>
  Float32Array.from(embedding(constants, exactAngle));
