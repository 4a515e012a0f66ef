/**
 * Attention on subgroup matrices against the f64 reference, through the emulator. On SwiftShader only:
 * the emulated text is the same for any adapter, and lavapipe takes much longer to compile it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { emulateSubgroupMatrices } from '../harness/subgroup-matrix-emulator.ts';
import { cases } from './attention-matrix.cases.ts';
import { checkKernel } from './check-kernel.ts';

describe.skipIf(!adapterNames.includes('swiftshader'))('swiftshader', () => {
  let device: TestDevice;
  beforeAll(async () => {
    device = await openTestDevice('swiftshader');
  });
  afterAll(() => device?.device.destroy());

  test.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const kernel = c.kernel(device.target);
    expect(kernel.wgsl).toContain('subgroupMatrixMultiplyAccumulate');
    await checkKernel(device, c, { ...kernel, wgsl: emulateSubgroupMatrices(kernel.wgsl) });
  });
});
