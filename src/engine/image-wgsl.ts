/**
 * Shaders between images and tensors: f32 [H, W, 4], R, G, B in [0, 1] as sRGB has them, the fourth 0.
 *
 *   load    tensor[y, x] = value of the image at origin + min((y, x), last)
 *   store   image at target + (y, x) = value of the tensor at origin + (y, x), alpha 1
 *
 * Values of formats with levels are exact: k/levels in, round(levels·v) out, whatever the adapter's
 * own conversion does. Transfer curves are those of IEC 61966-2-1.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** Where pixels are: a texture, or a buffer of u32 or of vec4f per pixel. */
export type PixelPlace = 'texture' | 'u32' | 'vec4f';

export interface ImageShader {
  readonly place: PixelPlace;
  /** Steps between 0 and 1 that the image stores; 0: floats. */
  readonly levels: number;
  /** What shaders see of the image is linear, though its texels are not (`-srgb` formats). */
  readonly convertsItself: boolean;
  readonly isLinear: boolean;
}

const CURVES_WGSL = `fn to_srgb(v: vec3f) -> vec3f {
  return select(1.055 * pow(v, vec3f(1.0 / 2.4)) - 0.055, 12.92 * v, v <= vec3f(0.0031308));
}

fn to_linear(v: vec3f) -> vec3f {
  return select(pow((v + 0.055) / 1.055, vec3f(2.4)), v / 12.92, v <= vec3f(0.04045));
}`;

/** `snap` puts a value on the nearest level. */
const snapWgsl = (levels: number): string => wgsl`
#if ${levels > 0}
const LEVELS: f32 = ${levels};
fn snap(v: vec3f) -> vec3f { return round(LEVELS * v) / LEVELS; }
#else
fn snap(v: vec3f) -> vec3f { return v; }
#endif`;

/** The uniform struct of all of these shaders: {@link packImageParams}. */
const PARAMS_WGSL = `struct Params {
  origin: vec2u,
  target_origin: vec2u,
  size: vec2u,
  last: vec2u,
  source_stride: u32,  // pixels from row to row
  target_stride: u32,
}
@group(0) @binding(0) var<uniform> params: Params;`;

export interface ImageParams {
  readonly origin: readonly [x: number, y: number];
  readonly target: readonly [x: number, y: number];
  /** Of what is written. */
  readonly size: readonly [width: number, height: number];
  /** The last pixel of the source, counted from `origin`; repeated beyond. */
  readonly last: readonly [x: number, y: number];
  readonly sourceStride: number;
  readonly targetStride: number;
}

export const packImageParams = (params: ImageParams): Uint32Array<ArrayBuffer> =>
  Uint32Array.of(
    ...params.origin,
    ...params.target,
    ...params.size,
    ...params.last,
    params.sourceStride,
    params.targetStride,
    0,
    0,
  );

/** Compute shader: image at binding 1 → tensor at binding 2; one invocation per pixel of the tensor. */
export function loadWgsl({ place, levels, convertsItself, isLinear }: ImageShader): string {
  const read = convertsItself ? 'snap(to_srgb(v))' : isLinear ? 'to_srgb(snap(v))' : 'snap(v)';
  return wgsl`
${PARAMS_WGSL}
#if ${place === 'texture'}
@group(0) @binding(1) var image: texture_2d<f32>;
fn value(at: vec2u) -> vec3f { return textureLoad(image, at, 0).rgb; }
#elif ${place === 'u32'}
@group(0) @binding(1) var<storage, read> image: array<u32>;
fn value(at: vec2u) -> vec3f {
  return unpack4x8unorm(image[at.y * params.source_stride + at.x]).rgb;
}
#else
@group(0) @binding(1) var<storage, read> image: array<vec4f>;
fn value(at: vec2u) -> vec3f { return image[at.y * params.source_stride + at.x].rgb; }
#endif
@group(0) @binding(2) var<storage, read_write> tensor: array<vec4f>;
${CURVES_WGSL}
${snapWgsl(levels)}
#if ${levels === 0}
// NaN is 0: one of a renderer's would spread over the tile. By its bits, since clamp of NaN may be anything.
fn number(v: vec3f) -> vec3f {
  return select(v, vec3f(0.0), (bitcast<vec3u>(v) & vec3u(0x7fffffffu)) > vec3u(0x7f800000u));
}
#else
fn number(v: vec3f) -> vec3f { return v; }
#endif

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (any(id.xy >= params.size)) { return; }
  let v = clamp(number(value(params.origin + min(id.xy, params.last))), vec3f(0.0), vec3f(1.0));
  tensor[id.y * params.target_stride + id.x] = vec4f(${read}, 0.0);
}
`;
}

/**
 * Tensor at binding 1 → image. `entry` compute writes it at binding 2, a storage texture of `format` or
 * a buffer; render draws a triangle over the target's rectangle.
 */
export function storeWgsl(
  { place, levels, convertsItself, isLinear }: ImageShader,
  entry: 'compute' | 'render',
  format: GPUTextureFormat,
): string {
  const written = convertsItself
    ? 'to_linear(snap(v))'
    : isLinear
      ? 'snap(to_linear(v))'
      : 'snap(v)';
  return wgsl`
${PARAMS_WGSL}
@group(0) @binding(1) var<storage, read> tensor: array<vec4f>;
${CURVES_WGSL}
${snapWgsl(levels)}

fn value(at: vec2u) -> vec4f {
  let pixel = params.origin + at;
  let v = clamp(tensor[pixel.y * params.source_stride + pixel.x].rgb, vec3f(0.0), vec3f(1.0));
  return vec4f(${written}, 1.0);
}
#if ${entry === 'render'}
@vertex
fn cover(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  return vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn main(@builtin(position) position: vec4f) -> @location(0) vec4f {
  return value(vec2u(position.xy) - params.target_origin);
}
#else
#if ${place === 'texture'}
@group(0) @binding(2) var image: texture_storage_2d<${format}, write>;
fn put(at: vec2u, v: vec4f) { textureStore(image, at, v); }
#elif ${place === 'u32'}
@group(0) @binding(2) var<storage, read_write> image: array<u32>;
fn put(at: vec2u, v: vec4f) { image[at.y * params.target_stride + at.x] = pack4x8unorm(v); }
#else
@group(0) @binding(2) var<storage, read_write> image: array<vec4f>;
fn put(at: vec2u, v: vec4f) { image[at.y * params.target_stride + at.x] = v; }
#endif

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (any(id.xy >= params.size)) { return; }
  put(params.target_origin + id.xy, value(id.xy));
}
#endif
`;
}
