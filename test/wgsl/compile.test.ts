/** Every registry case compiles and validates on Dawn's null backend, for every kind of target. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import { openNullDevice } from '../harness/device.ts';
import { REGISTRY } from '../kernels/registry.ts';

const TARGETS: readonly Target[] = [
  { family: 'cpu', shaderF16: true, subgroupSize: 8 },
  { family: 'cpu', shaderF16: false, subgroupSize: 4 },
  { family: 'alu', shaderF16: true, subgroupSize: 32 },
  { family: 'alu', shaderF16: false, subgroupSize: 32 },
];

let device: GPUDevice;
beforeAll(async () => {
  device = await openNullDevice();
});

async function compile(label: string, code: string): Promise<void> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code });
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const scope = device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  expect(
    messages.filter((m) => m.type === 'error').map((m) => `${m.lineNum}: ${m.message}`),
  ).toEqual([]);
  expect((await scope)?.message ?? '', label).toBe('');
}

describe.each(Object.entries(REGISTRY))('%s', (_, cases) => {
  test.each(cases.map((c) => [c.name, c] as const))('%s', async (name, c) => {
    for (const target of TARGETS) await compile(name, c.kernel(target).wgsl);
  });
});
