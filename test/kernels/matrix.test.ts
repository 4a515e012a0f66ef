/** Products on subgroup matrices against the f64 references, on any adapter, through the emulator. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { emulateSubgroupMatrices } from '../harness/subgroup-matrix-emulator.ts';
import { checkKernel } from './check-kernel.ts';
import { cases } from './matrix.cases.ts';

describe.each(adapterNames)('%s', (name) => {
  let device: TestDevice;
  beforeAll(async () => {
    device = await openTestDevice(name);
  });
  afterAll(() => device?.device.destroy());

  test.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const kernel = c.kernel(device.target);
    expect(c.name).toMatch(new RegExp(` ${kernel.choice?.design}$`));
    await checkKernel(device, c, { ...kernel, wgsl: emulateSubgroupMatrices(kernel.wgsl) });
  });
});
