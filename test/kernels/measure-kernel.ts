/** How far one conformance case is off on a device; without vitest, so that it runs in pages too. */
import { type Kernel, sizeOf } from '../../src/engine/kernel.ts';
import { roundF16 } from '../harness/half.ts';
import { normal } from '../harness/random.ts';
import { describeWorst, type HostData, nmse, runKernelOutputs } from '../harness/run-kernel.ts';
import type { KernelCase } from './cases.ts';

export interface KernelRun {
  readonly actual: HostData;
  /** The second output, where the kernel has one. */
  readonly moments: HostData | undefined;
  readonly data: Readonly<Record<string, HostData>>;
}

export interface KernelError extends Pick<KernelRun, 'actual' | 'moments'> {
  /** NMSE against the f64 reference, and what it may be. */
  readonly error: number;
  readonly limit: number;
  /** Where it is worst. */
  readonly worst: string;
}

/** What it computes from seeded inputs, and those; throws where runKernel does. */
export async function runCase(
  device: GPUDevice,
  test: KernelCase,
  kernel: Kernel,
): Promise<KernelRun> {
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
  const { initial } = test;
  const { output: actual, moments } = await runKernelOutputs(device, kernel, inputs, { initial });
  return { actual, moments, data };
}

/** The same against the f64 reference. */
export async function measureKernel(
  device: GPUDevice,
  test: KernelCase,
  kernel: Kernel,
): Promise<KernelError> {
  const { actual, moments, data } = await runCase(device, test, kernel);
  const expected = test.reference(data);
  if (actual.length !== expected.length) {
    throw new Error(`${test.name}: ${actual.length} values, the reference has ${expected.length}`);
  }
  return {
    actual,
    moments,
    error: nmse(actual, expected),
    limit: test.maxNmse ?? (kernel.output.type.dtype === 'f16' ? 1e-6 : 1e-12),
    worst: describeWorst(actual, expected),
  };
}
