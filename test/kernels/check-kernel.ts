/** One conformance case on one adapter: seeded inputs in, the outputs against the f64 reference. */
import { expect } from 'vitest';
import type { Kernel } from '../../src/engine/kernel.ts';
import type { TestDevice } from '../harness/device.ts';
import type { KernelCase } from './cases.ts';
import { checkMoments } from './check-moments.ts';
import { measureKernel } from './measure-kernel.ts';

export async function checkKernel(
  { device }: TestDevice,
  test: KernelCase,
  kernel: Kernel,
): Promise<void> {
  const { actual, moments, error, limit, worst } = await measureKernel(device, test, kernel);
  expect(error, `NMSE ${error} > ${limit}; ${worst}`).toBeLessThanOrEqual(limit);
  if (moments) checkMoments(kernel, actual as Float32Array, moments as Float32Array);
}
