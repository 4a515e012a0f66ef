/**
 * The adapters a test run uses: SwiftShader from npm always, lavapipe when it is installed. One
 * device per adapter and test file, released at the file's end.
 */
import { create, globals } from 'webgpu';
import { type Capabilities, requiredDevice, targetOf } from '../../src/engine/device.ts';
import type { Target } from '../../src/engine/kernel.ts';
import { createDevice } from '../../src/engine/node-device.ts';
import { lavapipeIcd } from '../../src/engine/swiftshader.ts';

export interface TestDevice {
  readonly name: string;
  readonly device: GPUDevice;
  readonly target: Target;
  readonly capabilities: Capabilities;
}

export const ADAPTERS = { swiftshader: 'SwiftShader', lavapipe: 'llvmpipe' } as const;
export type AdapterName = keyof typeof ADAPTERS;

/** Adapters present on this machine; INVSR_TEST_ADAPTERS=lavapipe narrows it. */
export const adapterNames = (['swiftshader', 'lavapipe'] as const).filter(
  (name) =>
    (name === 'swiftshader' || lavapipeIcd() !== undefined) &&
    (process.env['INVSR_TEST_ADAPTERS'] ?? name).split(',').includes(name),
);

/** INVSR_TEST_CLAMPED=1 tests with Dawn's index clamping, which devices of browsers have. */
const TOGGLES = { disable: process.env['INVSR_TEST_CLAMPED'] ? ['disable_robustness'] : [] };

export async function openTestDevice(name: AdapterName): Promise<TestDevice> {
  const { device, capabilities } = await createDevice({
    adapter: ADAPTERS[name],
    toggles: TOGGLES,
  });
  return { name, device, target: targetOf(capabilities), capabilities };
}

const kept: unknown[] = []; // see `instances` in engine/node-adapters.ts

/** Dawn's null backend: validates and compiles WGSL, computes nothing. For the `wgsl` tier only. */
export async function openNullDevice(): Promise<GPUDevice> {
  Object.assign(globalThis, globals);
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  kept.push(gpu);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('no null adapter');
  return adapter.requestDevice(requiredDevice(adapter));
}
