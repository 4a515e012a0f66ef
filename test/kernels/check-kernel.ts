/** One conformance case on one adapter: seeded inputs in, the output against the f64 reference. */
import { expect } from 'vitest';
import { type Kernel, sizeOf } from '../../src/engine/kernel.ts';
import type { TestDevice } from '../harness/device.ts';
import { roundF16 } from '../harness/half.ts';
import { normal } from '../harness/random.ts';
import { describeWorst, type HostData, nmse, runKernelOutputs } from '../harness/run-kernel.ts';
import { checkMoments } from './check-moments.ts';
import type { KernelCase } from './cases.ts';

export async function checkKernel(
  { device }: TestDevice,
  test: KernelCase,
  kernel: Kernel,
): Promise<void> {
  const data: Record<string, HostData> = {};
  const inputs: Parameters<typeof runKernelOutputs>[2] = Object.fromEntries(
    Object.entries(test.inputs).map(([name, type], i) => {
      const seed = i + 1;
      let values = test.data?.(name, type, seed) ?? normal(sizeOf(type.shape), seed);
      if (type.dtype === 'f16') values = roundF16(values as Float32Array);
      data[name] = values;
      return [name, { type, data: values }];
    }),
  );
  const { output: actual, moments } = await runKernelOutputs(device, kernel, inputs, {
    initial: test.initial,
  });
  const expected = test.reference(data);
  expect(actual.length).toBe(expected.length);
  const limit = test.maxNmse ?? (kernel.output.type.dtype === 'f16' ? 1e-6 : 1e-12);
  const error = nmse(actual, expected);
  expect(error, `NMSE ${error} > ${limit}; ${describeWorst(actual, expected)}`).toBeLessThanOrEqual(
    limit,
  );
  if (moments) checkMoments(kernel, actual as Float32Array, moments as Float32Array);
}
