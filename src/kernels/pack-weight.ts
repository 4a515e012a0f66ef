/**
 * A weight in blocks of one matrix, where a plan computes it itself:
 *
 *   y[..., K/k, N/n, k, n] = weight[..., K, N]        see blocks.ts
 *
 *   weight   f16 [..., K, N]
 *   y        f16 [..., K/k, N/n, k, n]
 *
 * Checkpoints' weights are loaded like that (relayout.ts). Runs once, when a plan is prepared; bits are
 * moved, eight columns at a time. Memory-bound.
 */
import {
  type Blocks,
  byteLength,
  format,
  type Kernel,
  paramsWgsl,
  sizeOf,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { packedType, placeWgsl } from './blocks.ts';
import { FLAT_MAIN, flatGrid } from './elementwise.ts';

export interface PackWeightInputs {
  readonly weight: TensorType;
}

export function packWeight({ weight }: PackWeightInputs, blocks: Blocks): Kernel {
  const y = packedType(weight, blocks);
  const vectors = sizeOf(weight.shape) / 8;
  const params = { vectors: u32(vectors), groups: u32((weight.shape.at(-1) ?? 0) / 8) };
  return {
    name: 'packWeight',
    variant: `${format(weight)} → ${format(y)}`,
    bindings: { weight: 1 },
    params,
    output: { binding: 2, type: y },
    workgroups: flatGrid(vectors),
    cost: { flops: 0, bytes: 2 * byteLength(weight) },
    wgsl: `
${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> weight: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4u>;
${placeWgsl(blocks, 8)}

fn element(i: u32) {
  let row = i / params.groups;
  y[place(row, i - row * params.groups, params.groups)] = weight[i];
}
${FLAT_MAIN}
`,
  };
}

/** Of the elements of a matrix [K, N], or of several one after another. */
export function packWeightReference(
  { weight }: { readonly weight: Float32Array },
  columns: number,
  { k, n }: Blocks,
): Float32Array {
  return new Float32Array(weight.length).map((_, i) => {
    const block = Math.floor(i / (k * n));
    const row = Math.floor(block / (columns / n)) * k + (Math.floor(i / n) % k);
    return weight[row * columns + (block % (columns / n)) * n + (i % n)] ?? 0;
  });
}
