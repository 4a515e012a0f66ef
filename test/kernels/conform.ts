/** Every registry case of one family on every adapter at hand, against the kernel's f64 reference. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { checkKernel } from './check-kernel.ts';
import { REGISTRY } from './registry.ts';

export function conform(family: Target['family']): void {
  describe.each(adapterNames)('%s', (name) => {
    let device: TestDevice;
    beforeAll(async () => {
      device = await openTestDevice(name);
    });
    afterAll(() => device?.device.destroy());

    for (const [op, cases] of Object.entries(REGISTRY)) {
      const run = cases.filter(({ families = [family] }) => families.includes(family));
      if (run.length === 0) continue;
      describe(op, () => {
        test.each(run.map((c) => [c.name, c] as const))(`${family}: %s`, (_, c) =>
          checkKernel(device, c, c.kernel({ ...device.target, family })),
        );
      });
    }
  });
}
