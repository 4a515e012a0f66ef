/** The start-up check of subgroup matrices on emulated ones, right and wrong. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Capabilities, MATRIX_FEATURE, type MatrixConfig } from '../../src/engine/device.ts';
import type { SubgroupMatrix } from '../../src/engine/kernel.ts';
import { checkMatrices } from '../../src/engine/matrix-check.ts';
import { reportMatrices } from '../../src/engine/matrix-report.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { AMD, APPLE, INTEL_16, nameOfMatrix, NVIDIA } from '../harness/matrices.ts';
import { emulateSubgroupMatrices } from '../harness/subgroup-matrix-emulator.ts';

describe.each(adapterNames)('%s', (name) => {
  let opened: TestDevice;
  let problems: string[];
  let createShaderModule: GPUDevice['createShaderModule'];
  beforeAll(async () => {
    opened = await openTestDevice(name);
    createShaderModule = opened.device.createShaderModule.bind(opened.device);
  });
  afterAll(() => opened?.device.destroy());

  /** What the check finds of these, with the shader's text changed. */
  const found = (
    candidates: readonly SubgroupMatrix[],
    change: (wgsl: string) => string = emulateSubgroupMatrices,
  ): Promise<SubgroupMatrix | undefined> => {
    const { device } = opened;
    problems = [];
    device.createShaderModule = (descriptor) =>
      createShaderModule({ ...descriptor, code: change(descriptor.code) });
    return checkMatrices(device, candidates, {
      timeoutMs: 60_000,
      onProblem: (_, reason) => problems.push(reason),
    });
  };

  test.each([NVIDIA, AMD, INTEL_16, APPLE].map((one) => [nameOfMatrix(one), one] as const))(
    '%s multiplies rightly',
    async (_, matrix) => {
      expect(await found([matrix])).toEqual(matrix);
      expect(problems).toEqual([]);
    },
  );
  test('narrower subgroups than expected are seen', async () => {
    const narrow = (wgsl: string): string => emulateSubgroupMatrices(wgsl, 16);
    expect(await found([NVIDIA], narrow)).toBeUndefined();
    expect(problems).toEqual([
      'subgroups: invocation 0 has size, count, subgroup and lane 16, 8, 0, 0, not 32, 4, 0, 0',
    ]);
  });
  test('so are subgroups that are not in the order of invocations', async () => {
    const turned = (wgsl: string): string =>
      emulateSubgroupMatrices(wgsl).replaceAll('emu_index / 32u', '(3u - emu_index / 32u)');
    expect(await found([NVIDIA], turned)).toBeUndefined();
    expect(problems).toEqual([
      expect.stringMatching(/^subgroups: invocation 0 .* 32, 4, 3, 0, not/),
    ]);
  });
  test.each([
    ['a wrong sum', 'sum += emu_left', 'sum -= emu_left'],
    [
      'a transposed operand',
      '(offset + ((emu_lane % 16u)) * stride) * 4u + k',
      '(offset + (k) * stride) * 4u + (emu_lane % 16u)',
    ],
    ['a row too far', 'emu_lane / 16u + r', 'emu_lane / 16u + r + 1u'],
  ])('%s is seen, and the next kind taken', async (_, right, wrong) => {
    // Lanes of 16 columns are of the first kind only.
    const change = (text: string): string => {
      const wgsl = emulateSubgroupMatrices(text);
      return wgsl.includes('emu_lane % 16u') ? wgsl.replaceAll(right, wrong) : wgsl;
    };
    expect(await found([NVIDIA, APPLE], change)).toEqual(APPLE);
    expect(problems).toEqual([expect.stringMatching(/^element \d+ is [-\d]+, not \d+$/)]);
  });
  test('what is used is told, and what is left for it', async () => {
    const { device, capabilities } = opened;
    device.createShaderModule = (descriptor) =>
      createShaderModule({ ...descriptor, code: emulateSubgroupMatrices(descriptor.code) });
    const listed = ({ m, n, k, component }: SubgroupMatrix): MatrixConfig => ({
      m,
      n,
      k,
      componentType: component,
      resultComponentType: 'f32',
    });
    const gpu: Capabilities = {
      ...capabilities,
      vendor: 'apple',
      features: ['shader-f16', 'subgroups', MATRIX_FEATURE],
      subgroupMinSize: 16,
      subgroupMaxSize: 32,
      matrixConfigs: [listed(APPLE), listed(NVIDIA)],
    };
    const found = await reportMatrices(gpu, {
      open: () => Promise.resolve(device),
      timeoutMs: 60_000,
    });
    // The emulator has subgroups of 32.
    const trials = [
      { subgroupSize: 32 },
      { subgroupSize: 16, problem: expect.stringMatching(/^subgroups: .* not 16, 8, 0, 0$/) },
    ];
    expect(found).toEqual([
      { ...listed(APPLE), why: 'a better one is right', trials },
      { ...listed(NVIDIA), used: NVIDIA, trials },
    ]);
  });
  test('a shader that does not compile is no error', async () => {
    expect(await found([APPLE], () => 'fn main() {')).toBeUndefined();
  });
});
