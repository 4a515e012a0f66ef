import {
  type DType,
  f32,
  format,
  gridOf,
  type Kernel,
  paramsWgsl,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { type Activation, activationWgsl } from './epilogue.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
const CHUNK = 256;
export const chunksOf = (pixels: number): number => Math.ceil(pixels / CHUNK);
const HEAD = `@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) g: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (w.y * g.x + w.x) * 8u + lane;`;
export function groupNormPartial(
  { x }: { readonly x: TensorType },
  _: object,
  target: Target,
): Kernel {
  const [n = 0, h = 0, wd = 0, c = 0] = x.shape;
  const pixels = h * wd;
  const chunks = chunksOf(pixels);
  const params = { n: u32(n), pixels: u32(pixels), chunks: u32(chunks), groups: u32(c / 4) };
  return {
    name: 'groupNormPartial',
    variant: format(x),
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: { dtype: 'f32', shape: [n, chunks, 2, c] } },
    workgroups: gridOf(Math.ceil((n * chunks * c) / 32)),
    cost: { flops: sizeOf(x.shape) * 4, bytes: 0 },
    wgsl: `${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, 'f32', target)}
${HEAD}
  let c = i % params.groups; let rest = i / params.groups; let chunk = rest % params.chunks; let b = rest / params.chunks;
  if (b >= params.n) { return; }
  let lo = chunk * ${CHUNK}u; let hi = min(lo + ${CHUNK}u, params.pixels); let n = f32(hi - lo);
  var s = vec4f(); for (var p = lo; p < hi; p++) { s += load_x((b * params.pixels + p) * params.groups + c); }
  let mean = s / n; var q = vec4f();
  for (var p = lo; p < hi; p++) { let d = load_x((b * params.pixels + p) * params.groups + c) - mean; q += d * d; }
  let base = (b * params.chunks + chunk) * 2u * params.groups + c;
  store_y(base, mean); store_y(base + params.groups, q);
}`,
  };
}
export function groupNormFinalize(
  { partial }: { readonly partial: TensorType; readonly gamma: TensorType },
  {
    groups,
    eps,
    pixels,
  }: { readonly groups: number; readonly eps: number; readonly pixels: number },
  target: Target,
): Kernel {
  const [n = 0, chunks = 0, , c = 0] = partial.shape;
  const params = {
    n: u32(n),
    chunks: u32(chunks),
    channels: u32(c),
    groups: u32(groups),
    pixels: u32(pixels),
    eps: f32(eps),
  };
  void target;
  return {
    name: 'groupNormFinalize',
    variant: format(partial),
    bindings: { partial: 1, gamma: 2 },
    params,
    output: { binding: 3, type: { dtype: 'f32', shape: [n, 2, c] } },
    workgroups: gridOf(Math.ceil((n * groups) / 8)),
    cost: { flops: sizeOf(partial.shape) * 4, bytes: 0 },
    wgsl: `${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
${HEAD}
  let b = i / params.groups; let grp = i % params.groups;
  if (b >= params.n) { return; }
  let per = params.channels / params.groups;
  var n = 0.0; var mean = 0.0; var m2 = 0.0;
  for (var k = 0u; k < params.chunks; k++) {
    let count = f32(min(${CHUNK}u, params.pixels - k * ${CHUNK}u));
    for (var j = 0u; j < per; j++) {
      let at = (b * params.chunks + k) * 2u * params.channels + grp * per + j;
      let d = partial[at] - mean; let total = n + count;
      mean += d * count / total; m2 += partial[at + params.channels] + d * d * n * count / total; n = total;
    }
  }
  let r = inverseSqrt(m2 / n + params.eps);
  for (var j = 0u; j < per; j++) { let c = grp * per + j; y[b * 2u * params.channels + c] = mean; y[(b * 2u + 1u) * params.channels + c] = r * gamma[c]; }
}`,
  };
}
export function groupNormApply(
  { x }: { readonly x: TensorType; readonly stats: TensorType; readonly beta: TensorType },
  {
    activation = 'none',
    dtype = x.dtype,
  }: { readonly activation?: Activation; readonly dtype?: DType },
  target: Target,
): Kernel {
  const [n = 0, h = 0, wd = 0, c = 0] = x.shape;
  const params = { vectors: u32(sizeOf(x.shape) / 4), pixels: u32(h * wd), groups: u32(c / 4) };
  void n;
  return {
    name: 'groupNormApply',
    variant: `${format(x)} ${activation}`,
    bindings: { x: 1, stats: 2, beta: 3 },
    params,
    output: { binding: 4, type: { dtype, shape: x.shape } },
    workgroups: gridOf(Math.ceil(sizeOf(x.shape) / 32)),
    cost: { flops: sizeOf(x.shape) * 4, bytes: 0 },
    wgsl: `${enableF16(target, x.dtype, dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${readWgsl('stats', 2, 'f32', target)}
${readWgsl('beta', 3, 'f32', target)}
${writeWgsl('y', 4, dtype, target)}
${activationWgsl(activation)}
${HEAD}
  if (i >= params.vectors) { return; }
  let c = i % params.groups; let b = i / params.groups / params.pixels;
  store_y(i, activate((load_x(i) - load_stats(b * 2u * params.groups + c)) * load_stats((b * 2u + 1u) * params.groups + c) + load_beta(c)));
}`,
  };
}
