/**
 * What the bench of kernels runs compiles: every case of the full-size networks, and the micro-benchmarks
 * behind the ceilings, subgroup matrices included.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { modelCases } from '../../bench/cases.ts';
import { copyKernel } from '../../bench/copy-kernel.ts';
import { matrixKernel } from '../../bench/matrix-kernel.ts';
import { spinKernel } from '../../bench/spin-kernel.ts';
import type { Kernel, Target } from '../../src/engine/kernel.ts';
import { FULL_SIZE } from '../../src/invsr/full-size.ts';
import { openNullDevice } from '../harness/device.ts';
import { AMD, APPLE, INTEL, NVIDIA } from '../harness/matrices.ts';

let device: GPUDevice;
beforeAll(async () => {
  device = await openNullDevice();
});

async function errorsOf({ wgsl, name }: Pick<Kernel, 'wgsl' | 'name'>): Promise<string[]> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: name, code: wgsl });
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const scope = device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === 'error').map(({ message }) => message);
  const error = await scope;
  return [...errors, ...(error ? [error.message] : [])];
}

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;

test.each([
  spinKernel(target, { chains: 2 }),
  spinKernel(target, { dtype: 'f16', chains: 4, isFused: false }),
  copyKernel({ dtype: 'f32', shape: [16, 16] }, 4),
])('$name $variant', async (kernel) => {
  expect(await errorsOf(kernel)).toEqual([]);
});

describe('products of matrices', () => {
  test.each([NVIDIA, AMD, INTEL, APPLE])('$component $m x $n x $k', async (matrix) => {
    const kernel = matrixKernel(matrix, { workgroups: 4, rounds: 8 });
    expect(await errorsOf(kernel)).toEqual([]);
  });

  test('the check sees an error', async () => {
    const kernel = matrixKernel(NVIDIA, { workgroups: 4, rounds: 8 });
    const wgsl = kernel.wgsl.replace('subgroup_matrix_right', 'subgroup_matrix_left');
    expect(await errorsOf({ ...kernel, wgsl })).not.toEqual([]);
  });
});

const TARGETS: readonly (readonly [Target, 'f16' | 'f32'])[] = [
  [target, 'f16'],
  [{ family: 'alu', shaderF16: false, subgroupSize: 0 }, 'f32'],
  [{ family: 'cpu', shaderF16: true, subgroupSize: 8 }, 'f16'],
];

test.each(TARGETS)('every case for %j in %s', async (target, precision) => {
  const options = { precision, tile: 128, timesteps: [200], target };
  const cases = modelCases({ model: FULL_SIZE, name: '' }, options);
  const kernels = cases.flatMap(({ steps }) => steps?.(target) ?? []).map(({ kernel }) => kernel);
  const texts = new Map(kernels.map((kernel) => [kernel.wgsl, kernel]));
  expect(texts.size).toBeGreaterThan(20);
  for (const kernel of texts.values()) expect(await errorsOf(kernel), kernel.name).toEqual([]);
});
