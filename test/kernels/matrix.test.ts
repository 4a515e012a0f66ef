/** Products on subgroup matrices against the f64 references, through the emulator. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { emulateSubgroupMatrices } from '../harness/subgroup-matrix-emulator.ts';
import { checkKernel } from './check-kernel.ts';
import { cases } from './matrix.cases.ts';

/** Lavapipe's compiler takes minutes over these shaders; that the emulator is right there, too, its own tests say. */
describe.skipIf(!adapterNames.includes('swiftshader'))('swiftshader', () => {
  let device: TestDevice;
  beforeAll(async () => {
    device = await openTestDevice('swiftshader');
  });
  afterAll(() => device?.device.destroy());

  test.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const kernel = c.kernel(device.target);
    expect(c.name).toMatch(new RegExp(` ${kernel.choice?.design}$`));
    await checkKernel(device, c, { ...kernel, wgsl: emulateSubgroupMatrices(kernel.wgsl) });
  });
});
