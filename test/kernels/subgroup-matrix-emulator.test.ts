/** The emulator of subgroup matrices against products computed here, for every kind of operand. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Kernel,
  paramsWgsl,
  type SubgroupMatrix,
  type TensorType,
  u32,
} from '../../src/engine/kernel.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { roundF16 } from '../harness/half.ts';
import { AMD, APPLE, INTEL_16, nameOfMatrix, NVIDIA } from '../harness/matrices.ts';
import { normal } from '../harness/random.ts';
import { describeWorst, nmse, runKernel } from '../harness/run-kernel.ts';
import { emulateSubgroupMatrices } from '../harness/subgroup-matrix-emulator.ts';
import { sumNmse } from './cases.ts';

/**
 * Subgroup s: y[s] = (left · right + 1) · 3 - 1 + left · right, with left through shared memory (rows
 * of vectors, apart by more than their length) and right from storage, in either order.
 */
function productKernel(
  { m, n, k, component: c, subgroupSize, isPinned }: SubgroupMatrix,
  major: 'row' | 'col',
): Kernel {
  const output: TensorType = { dtype: 'f32', shape: [2, m, n] };
  const pitch = k / 4 + 2;
  const threads = 2 * subgroupSize;
  const params = { stride: u32(major === 'row' ? n : k) };
  const wgsl = `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
${isPinned ? 'enable subgroup_size_control;' : ''}
diagnostic(off, chromium.subgroup_matrix_uniformity);
${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> a: array<vec4<${c}>>;
@group(0) @binding(2) var<storage, read> b: array<${c}>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
var<workgroup> tile: array<vec4<${c}>, ${2 * m * pitch}>;
var<workgroup> sums: array<f32, ${2 * m * (n + 4)}>;
var<workgroup> copy: array<${c}, ${k * n}>;

@compute @workgroup_size(${threads}) ${isPinned ? `@subgroup_size(${subgroupSize})` : ''}
fn main(
  @builtin(local_invocation_index) i: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) size: u32,
) {
  for (var j = i; j < ${(2 * m * k) / 4}u; j += ${threads}u) {
    let row = j / ${k / 4}u;
    tile[row * ${pitch}u + (j - row * ${k / 4}u)] = vec4<${c}>(2.0 * vec4f(a[j])); // doubled [there]
  }
  for (var j = i; j < ${k * n}u; j += ${threads}u) { copy[j] = ${c}(f32(b[j])); }
  workgroupBarrier();
  let left = subgroupMatrixLoad<subgroup_matrix_left<${c}, ${k}, ${m}>, row_major>(&tile, subgroup * ${m * pitch}u, ${pitch}u);
  let right = subgroupMatrixLoad<subgroup_matrix_right<${c}, ${n}, ${k}>, ${major}_major>(&b, 0u, params.stride);
  let again = subgroupMatrixLoad<subgroup_matrix_right<${c}, ${n}, ${k}>, ${major}_major>(&copy, 0u, params.stride);
  var sum = subgroup_matrix_result<f32, ${n}, ${m}>();
  sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
  sum = subgroupMatrixScalarSubtract(subgroupMatrixScalarMultiply(subgroupMatrixScalarAdd(sum, 1.0), 3.0), 1.0);
  sum = subgroupMatrixMultiplyAccumulate(left, again, sum);
  subgroupMatrixStore<row_major>(&sums, subgroup * ${m * (n + 4)}u, sum, ${n + 4}u);
  workgroupBarrier();
  for (var j = lane; j < ${(m * n) / 4}u; j += size) {
    let at = subgroup * ${m * (n + 4)}u + j / ${n / 4}u * ${n + 4}u + j % ${n / 4}u * 4u;
    y[subgroup * ${(m * n) / 4}u + j] = vec4f(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
  }
}`;
  return {
    name: 'product',
    variant: '',
    wgsl: emulateSubgroupMatrices(wgsl, subgroupSize),
    bindings: { a: 1, b: 2 },
    params,
    output: { binding: 3, type: output },
    workgroups: [1, 1, 1],
    cost: { flops: 0, bytes: 0 },
  };
}

const OPERANDS = [
  [NVIDIA, ['row', 'col']],
  [AMD, ['row']],
  [INTEL_16, ['col']],
  [APPLE, ['row', 'col']],
] as const;

describe.each(adapterNames)('%s', (name) => {
  let device: TestDevice;
  beforeAll(async () => {
    device = await openTestDevice(name);
  });
  afterAll(() => device?.device.destroy());

  for (const [matrix, majors] of OPERANDS) {
    const { m, n, k, component: dtype } = matrix;
    for (const major of majors) {
      test(`${nameOfMatrix(matrix)}, ${major}s of the right matrix`, async () => {
        const round = dtype === 'f16' ? roundF16 : (values: Float32Array) => values;
        const a = round(normal(2 * m * k, 1));
        const b = round(normal(k * n, 2));
        const actual = await runKernel(device.device, productKernel(matrix, major), {
          a: { type: { dtype, shape: [2, m, k] }, data: a },
          b: { type: { dtype, shape: [k, n] }, data: b },
        });
        const expected = Float32Array.from({ length: 2 * m * n }, (_, i) => {
          let sum = 0;
          for (let j = 0; j < k; j++) {
            const right = major === 'row' ? b[j * n + (i % n)]! : b[(i % n) * k + j]!;
            sum += 2 * a[Math.floor(i / n) * k + j]! * right;
          }
          return (sum + 1) * 3 - 1 + sum;
        });
        expect(nmse(actual, expected), describeWorst(actual, expected)).toBeLessThan(
          sumNmse(2 * k),
        );
      });
    }
  }
});

describe('what it does not understand', () => {
  const enable = 'enable chromium_experimental_subgroup_matrix;';
  test.each([
    ['another subgroup function', 'let v = subgroupAdd(1.0);', 'subgroupAdd'],
    ['sums in f16', 'var s: subgroup_matrix_result<f16, 16, 16>;', 'expected f32'],
    [
      'rows that Vulkan calls misaligned',
      'let s = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&a, 0u, 9u);',
      'rows 72 bytes apart',
    ],
    ['two shapes', 'var s: subgroup_matrix_result<f32, 8, 16>;', '16,16 and f32,8,16'],
    ['two kinds of operands', 'var s: subgroup_matrix_right<f32, 16, 16>;', 'expected f16'],
    ['an attribute that was not enabled', '@subgroup_size(32)', 'needs its enable'],
  ])('%s', (_, line, message) => {
    const text = `${enable}
var<workgroup> a: array<vec4<f16>, 144>;
fn main() {
  var l: subgroup_matrix_left<f16, 16, 16>;
  var r: subgroup_matrix_right<f16, 16, 16>;
  ${message === 'expected f32' ? '' : 'var c: subgroup_matrix_result<f32, 16, 16>;'}
  ${line}
}`;
    expect(() => emulateSubgroupMatrices(text)).toThrow(message);
  });
  test('and leaves other shaders alone', () => {
    const text = 'enable f16; fn main() {} // as it is';
    expect(emulateSubgroupMatrices(text)).toBe(text);
  });
});
