/**
 * The adapters a test run uses: SwiftShader from npm always, lavapipe when it is installed. One
 * device per adapter and test file, released at the file's end.
 */
// TEMPORARY until src/engine/device.ts exists; its owner replaces the body, not the exports.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { execFileSync } from 'node:child_process';
import { create, globals } from 'webgpu';
import type { Target } from '../../src/engine/kernel.ts';

Object.assign(globalThis, globals);

export interface TestDevice {
  readonly name: string;
  readonly device: GPUDevice;
  readonly target: Target;
}

const kept: unknown[] = []; // dawn.node crashes once the object returned by create() is collected

function swiftShaderIcd(): string {
  const dir = join(tmpdir(), 'invsr-swiftshader');
  const icd = join(dir, 'vk_swiftshader_icd.json');
  if (!existsSync(icd)) {
    mkdirSync(dir, { recursive: true });
    const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
    let root = dirname(entry);
    while (!existsSync(join(root, 'bin'))) root = dirname(root);
    const tar = join(dir, 'sw.tar');
    writeFileSync(tar, brotliDecompressSync(readFileSync(join(root, 'bin/swiftshader.tar.br'))));
    execFileSync('tar', ['xf', tar, '-C', dir]);
  }
  return icd;
}

const ADAPTERS = { swiftshader: 'SwiftShader', lavapipe: 'llvmpipe' } as const;
export type AdapterName = keyof typeof ADAPTERS;

export const lavapipeIcd = '/usr/share/vulkan/icd.d/lvp_icd.json';

/** Adapters present on this machine; INVSR_TEST_ADAPTERS=lavapipe narrows it. */
export const adapterNames = (['swiftshader', 'lavapipe'] as const).filter(
  (name) =>
    (name === 'swiftshader' || existsSync(lavapipeIcd)) &&
    (process.env['INVSR_TEST_ADAPTERS'] ?? name).split(',').includes(name),
);

export async function openTestDevice(name: AdapterName): Promise<TestDevice> {
  process.env['XDG_RUNTIME_DIR'] ??= tmpdir();
  process.env['VK_ICD_FILENAMES'] = name === 'swiftshader' ? swiftShaderIcd() : lavapipeIcd;
  const gpu = create(['backend=vulkan']);
  kept.push(gpu);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error(`no ${name} adapter`);
  const features = (['shader-f16', 'timestamp-query', 'subgroups'] as const).filter((f) =>
    adapter.features.has(f),
  );
  const device = await adapter.requestDevice({
    requiredFeatures: features,
    requiredLimits: {
      maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
      maxBufferSize: adapter.limits.maxBufferSize,
      maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize,
    },
  });
  return {
    name,
    device,
    target: {
      family: 'cpu',
      shaderF16: features.includes('shader-f16'),
      subgroupSize: adapter.info.subgroupMinSize ?? 4,
    },
  };
}

/** Dawn's null backend: validates and compiles WGSL, computes nothing. For the `wgsl` tier only. */
export async function openNullDevice(): Promise<GPUDevice> {
  const gpu = create(['backend=null']);
  kept.push(gpu);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('no null adapter');
  return adapter.requestDevice({
    requiredFeatures: (['shader-f16', 'subgroups'] as const).filter((f) => adapter.features.has(f)),
  });
}
