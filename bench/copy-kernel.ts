/**
 * y = x: what memory gives to a kernel that reads and writes every byte once. The vectors of one
 * invocation lie a grid apart, so that those of neighbours are neighbours.
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

/** `x` is f32, its element count a multiple of 4; `loads` vectors of every invocation. */
export function copyKernel(x: TensorType, loads: number): Kernel {
  const vectors = sizeOf(x.shape) / 4;
  const invocations = Math.ceil(vectors / loads);
  const params = { vectors: u32(vectors), invocations: u32(invocations) };
  return {
    name: 'copy',
    variant: `${byteLength(x)} bytes, ${loads} vectors an invocation`,
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: x },
    workgroups: gridOf(Math.ceil(invocations / WORKGROUP_SIZE)),
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
  let first = (workgroup.y * grid.x + workgroup.x) * ${WORKGROUP_SIZE}u + lane;
  if (first >= params.invocations) {
    return;
  }
  for (var i = first; i < params.vectors; i += params.invocations) {
    y[i] = x[i];
  }
}
`,
  };
}
