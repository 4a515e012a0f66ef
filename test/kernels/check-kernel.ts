/** One conformance case on one adapter: seeded inputs in, the output against the f64 reference. */
import { expect } from 'vitest';
import type { Kernel } from '../../src/engine/kernel.ts';
import type { TestDevice } from '../harness/device.ts';
import type { KernelCase } from './cases.ts';
import { measureKernel } from './measure-kernel.ts';

export async function checkKernel(
  { device }: TestDevice,
  test: KernelCase,
  kernel: Kernel,
): Promise<void> {
  const { error, limit, worst } = await measureKernel(device, test, kernel);
  expect(error, `NMSE ${error} > ${limit}; ${worst}`).toBeLessThanOrEqual(limit);
}
