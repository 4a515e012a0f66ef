import {
  format,
  gridOf,
  type Kernel,
  paramsWgsl,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { activationWgsl } from './epilogue.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
export function geglu({ x }: { readonly x: TensorType }, _: object, target: Target): Kernel {
  const c = (x.shape.at(-1) ?? 0) / 2;
  const y: TensorType = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), c] };
  const params = { vectors: u32(sizeOf(y.shape) / 4), groups: u32(c / 4) };
  return {
    name: 'geglu',
    variant: format(x),
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: y },
    workgroups: gridOf(Math.ceil(sizeOf(y.shape) / 256)),
    cost: { flops: sizeOf(y.shape) * 10, bytes: 0 },
    wgsl: `${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, x.dtype, target)}
${activationWgsl('gelu')}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) g: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (w.y * g.x + w.x) * 64u + lane;
  if (i >= params.vectors) { return; }
  let row = i / params.groups; let c = i % params.groups;
  store_y(i, load_x(row * 2u * params.groups + c) * activate(load_x((row * 2u + 1u) * params.groups + c)));
}`,
  };
}
