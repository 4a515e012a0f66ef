/** Every registry case on every adapter at hand, against the kernel's f64 reference. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sizeOf, type Target } from '../../src/engine/kernel.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { roundF16 } from '../harness/half.ts';
import { normal } from '../harness/random.ts';
import { describeWorst, type HostData, nmse, runKernel } from '../harness/run-kernel.ts';
import type { KernelCase } from './cases.ts';
import { REGISTRY } from './registry.ts';

const FAMILIES = ['cpu', 'alu'] as const;

async function check({ device, target }: TestDevice, test: KernelCase, family: Target['family']) {
  const kernel = test.kernel({ ...target, family });
  const data: Record<string, HostData> = {};
  const inputs: Parameters<typeof runKernel>[2] = Object.fromEntries(
    Object.entries(test.inputs).map(([name, type], i) => {
      const seed = i + 1;
      let values = test.data?.(name, type, seed) ?? normal(sizeOf(type.shape), seed);
      if (type.dtype === 'f16') values = roundF16(values as Float32Array);
      data[name] = values;
      return [name, { type, data: values }];
    }),
  );
  const actual = await runKernel(
    device,
    kernel,
    inputs,
    test.initial ? { initial: test.initial } : {},
  );
  const expected = test.reference(data);
  expect(actual.length).toBe(expected.length);
  const limit = test.maxNmse ?? (kernel.output.type.dtype === 'f16' ? 1e-6 : 1e-12);
  const error = nmse(actual, expected);
  expect(error, `NMSE ${error} > ${limit}; ${describeWorst(actual, expected)}`).toBeLessThanOrEqual(
    limit,
  );
}

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
        check(device, c, family),
      );
    }
  });
});
