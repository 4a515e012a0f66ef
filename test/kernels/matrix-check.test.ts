/** The start-up check of subgroup matrices on emulated ones, right and wrong. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Capabilities, MATRIX_FEATURE } from '../../src/engine/device.ts';
import type { MatrixShape } from '../../src/engine/kernel.ts';
import { checkMatrices } from '../../src/engine/matrix-check.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { emulateSubgroupMatrices, VIRTUAL_SUBGROUP } from '../harness/subgroup-matrix-emulator.ts';

const SHAPES: readonly MatrixShape[] = [
  { m: 16, n: 16, k: 16 },
  { m: 8, n: 16, k: 16 },
  { m: 8, n: 8, k: 8 },
];

describe.each(adapterNames)('%s', (name) => {
  let opened: TestDevice;
  let problems: string[];
  let createShaderModule: GPUDevice['createShaderModule'];
  beforeAll(async () => {
    opened = await openTestDevice(name);
    createShaderModule = opened.device.createShaderModule.bind(opened.device);
  });
  afterAll(() => opened?.device.destroy());

  /** What the check finds where matrices of these shapes are there, with the shader's text changed. */
  const found = (
    shapes: readonly MatrixShape[],
    change: (wgsl: string) => string = (wgsl) => wgsl,
  ): Promise<MatrixShape | undefined> => {
    const { device } = opened;
    problems = [];
    device.createShaderModule = (descriptor) =>
      createShaderModule({
        ...descriptor,
        code: change(emulateSubgroupMatrices(descriptor.code)),
      });
    const capabilities: Capabilities = {
      ...opened.capabilities,
      features: ['shader-f16', 'subgroups', MATRIX_FEATURE],
      subgroupMinSize: VIRTUAL_SUBGROUP,
      subgroupMaxSize: VIRTUAL_SUBGROUP,
      matrixConfigs: shapes.map((shape) => ({
        ...shape,
        componentType: 'f16',
        resultComponentType: 'f32',
      })),
    };
    return checkMatrices(device, capabilities, {
      timeoutMs: 60_000,
      onProblem: (_, reason) => problems.push(reason),
    });
  };

  test.each(SHAPES)('$m x $n x $k multiplies rightly', async (shape) => {
    expect(await found([shape])).toEqual(shape);
    expect(problems).toEqual([]);
  });
  test.each([
    ['a wrong sum', 'sum += emu_left', 'sum -= emu_left'],
    [
      'a transposed operand',
      '(offset + ((emu_lane % 16u)) * stride) * 4u + k',
      '(offset + (k) * stride) * 4u + (emu_lane % 16u)',
    ],
    ['a row too far', 'emu_lane / 16u + r', 'emu_lane / 16u + r + 1u'],
  ])('%s is seen, and the next shape taken', async (_, right, wrong) => {
    // Lanes of 16 columns are of the first shape only.
    const change = (wgsl: string): string =>
      wgsl.includes('emu_lane % 16u') ? wgsl.replaceAll(right, wrong) : wgsl;
    const [first, , last] = SHAPES;
    expect(await found([first!, last!], change)).toEqual(last);
    expect(problems).toEqual([expect.stringMatching(/^element \d+ is [-\d]+, not \d+$/)]);
  });
  test('a shader that does not compile is no error', async () => {
    expect(await found([SHAPES[2]!], () => 'fn main() {')).toBeUndefined();
  });
});
