import {
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
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
export function layerNorm(
  { x }: { readonly x: TensorType; readonly gamma: TensorType; readonly beta: TensorType },
  { eps }: { readonly eps: number },
  target: Target,
): Kernel {
  const c = x.shape.at(-1) ?? 0;
  const rows = sizeOf(x.shape) / c;
  const params = { rows: u32(rows), groups: u32(c / 4), eps: f32(eps) };
  return {
    name: 'layerNorm',
    variant: format(x),
    bindings: { x: 1, gamma: 2, beta: 3 },
    params,
    output: { binding: 4, type: x },
    workgroups: gridOf(Math.ceil(rows / 8)),
    cost: { flops: sizeOf(x.shape) * 8, bytes: 0 },
    wgsl: `${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${readWgsl('gamma', 2, 'f32', target)}
${readWgsl('beta', 3, 'f32', target)}
${writeWgsl('y', 4, x.dtype, target)}
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) g: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = (w.y * g.x + w.x) * 8u + lane;
  if (row >= params.rows) { return; }
  let base = row * params.groups; let n = f32(params.groups * 4u);
  var s = 0.0; for (var i = 0u; i < params.groups; i++) { s += dot(load_x(base + i), vec4f(1)); }
  let mean = s / n; var q = 0.0;
  for (var i = 0u; i < params.groups; i++) { let d = load_x(base + i) - mean; q += dot(d, d); }
  let r = inverseSqrt(q / n + params.eps);
  for (var i = 0u; i < params.groups; i++) { store_y(base + i, (load_x(base + i) - mean) * r * load_gamma(i) + load_beta(i)); }
}`,
  };
}
