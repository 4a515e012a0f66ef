/** Every registry case on every adapter at hand, against the kernel's f64 reference. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { checkKernel } from './check-kernel.ts';
import { REGISTRY } from './registry.ts';

const FAMILIES = ['cpu', 'alu'] as const;

describe.each(adapterNames)('%s', (name) => {
  let device: TestDevice;
  beforeAll(async () => {
    device = await openTestDevice(name);
  });
  afterAll(() => device?.device.destroy());

  describe.each(Object.entries(REGISTRY))('%s', (_, cases) => {
    // Both families run everywhere: `alu` is correct on a CPU adapter too, only slow.
    for (const family of FAMILIES) {
      const run = cases.filter(({ families = FAMILIES }) => families.includes(family));
      test.each(run.map((c) => [c.name, c] as const))(`${family}: %s`, (_, c) =>
        checkKernel(device, c, c.kernel({ ...device.target, family })),
      );
    }
  });
});
