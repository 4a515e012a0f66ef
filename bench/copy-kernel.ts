/**
 * y = x: what memory gives to a kernel that reads and writes every byte once. One invocation per vec4,
 * as the memory-bound kernels have it.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  gridOf,
  type Kernel,
  paramsWgsl,
  sizeOf,
  type TensorType,
  u32,
} from '../src/engine/kernel.ts';

const WORKGROUP_SIZE = 64;

/** `x` is f32, its element count a multiple of 4. */
export function copyKernel(x: TensorType): Kernel {
  const vectors = sizeOf(x.shape) / 4;
  const params = { vectors: u32(vectors) };
  return {
    name: 'copy',
    variant: `${byteLength(x)} bytes`,
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: x },
    workgroups: gridOf(Math.ceil(vectors / WORKGROUP_SIZE)),
    cost: { flops: 0, bytes: 2 * byteLength(x) },
    wgsl: wgsl`
${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (workgroup.y * grid.x + workgroup.x) * ${WORKGROUP_SIZE}u + lane;
  if (i < params.vectors) {
    y[i] = x[i];
  }
}
`,
  };
}
