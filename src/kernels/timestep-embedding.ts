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
 * the uniform struct; the shader stores them. Frequencies and arguments are rounded to f32 as in the
 * official code: at t = 999 that rounding moves the embedding by up to 6e-5.
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
    embedding(constants, Math.fround).map((value, i) => [`value${i}`, f32(value)]),
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

function embedding(
  { timestep, dim, flipSinToCos, freqShift }: TimestepEmbeddingConstants,
  round: (v: number) => number,
): number[] {
  const half = dim / 2;
  const angles = Array.from({ length: half }, (_, j) => {
    const exponent = round(round(round(-Math.log(10_000)) * j) / (half - freqShift));
    return round(timestep * round(Math.exp(exponent)));
  });
  const sines = angles.map(Math.sin);
  const cosines = angles.map(Math.cos);
  return flipSinToCos ? [...cosines, ...sines] : [...sines, ...cosines];
}

/** In f64 throughout. */
export const timestepEmbeddingReference = (constants: TimestepEmbeddingConstants): Float32Array =>
  Float32Array.from(embedding(constants, (v) => v));
