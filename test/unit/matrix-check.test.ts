/** The check of subgroup matrices on devices that are none; real products in test/kernels. */
import { describe, expect, test, vi } from 'vitest';
import { capabilitiesOf, type Capabilities, MATRIX_FEATURE } from '../../src/engine/device.ts';
import { checkMatrices, matrixCandidates } from '../../src/engine/matrix-check.ts';

const config = (M: number, N: number, K: number, result = 'f32') => ({
  componentType: 'f16',
  resultComponentType: result,
  M,
  N,
  K,
});

/** As an NVIDIA driver may list them. */
const LISTED = [
  config(8, 16, 16),
  config(16, 16, 16, 'f16'),
  config(16, 16, 16),
  config(16, 8, 16),
  { ...config(16, 16, 32, 'i32'), componentType: 'i8' },
];

const ABLE: Capabilities = capabilitiesOf({
  info: {
    vendor: 'nvidia',
    architecture: 'hopper',
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    subgroupMatrixConfigs: LISTED,
  },
  features: new Set(['shader-f16', 'subgroups', MATRIX_FEATURE]),
  limits: { maxComputeWorkgroupStorageSize: 49_152, maxComputeInvocationsPerWorkgroup: 1024 },
} as unknown as GPUAdapter);

/** Candidates of ABLE: each is given a try. */
const TRIED = 2;

const WEAK = { ...ABLE.limits, maxComputeWorkgroupStorageSize: 16_384 };

describe('candidates', () => {
  test('what kernels know of what is listed, the best first', () => {
    expect(ABLE.matrixConfigs).toHaveLength(LISTED.length);
    expect(structuredClone(ABLE)).toEqual(ABLE);
    expect(matrixCandidates(ABLE)).toEqual([
      { m: 16, n: 16, k: 16 },
      { m: 8, n: 16, k: 16 },
    ]);
  });
  test.each([
    ['the feature', { features: ['shader-f16', 'subgroups'] }],
    ['f16', { features: ['subgroups', MATRIX_FEATURE] }],
    ['a fixed subgroup size', { subgroupMinSize: 8 }],
    ['shared memory', { limits: WEAK }],
    ['f32 sums', { matrixConfigs: ABLE.matrixConfigs.slice(1, 2) }],
  ])('none without %s', (_, lacking) => {
    expect(matrixCandidates({ ...ABLE, ...lacking })).toEqual([]);
  });
});

describe('silently off', () => {
  const deviceOf = (parts: object): GPUDevice =>
    ({
      pushErrorScope() {},
      popErrorScope: () => Promise.resolve(null),
      createShaderModule: () => ({}),
      ...parts,
    }) as unknown as GPUDevice;

  test('where absent, without touching the device', async () => {
    const createShaderModule = vi.fn<() => object>();
    const found = checkMatrices(deviceOf({ createShaderModule }), { ...ABLE, matrixConfigs: [] });
    expect(await found).toBeUndefined();
    expect(createShaderModule).not.toHaveBeenCalled();
  });
  test('where it throws', async () => {
    const createShaderModule = vi.fn<() => object>(() => {
      throw new Error('lost');
    });
    expect(await checkMatrices(deviceOf({ createShaderModule }), ABLE)).toBeUndefined();
    expect(createShaderModule).toHaveBeenCalledTimes(TRIED);
  });
  test('where pipelines are refused', async () => {
    const createComputePipelineAsync = vi.fn<() => Promise<never>>(() =>
      Promise.reject(new Error('no such matrix')),
    );
    expect(await checkMatrices(deviceOf({ createComputePipelineAsync }), ABLE)).toBeUndefined();
    expect(createComputePipelineAsync).toHaveBeenCalledTimes(TRIED);
  });
  test('where it hangs', async () => {
    const createComputePipelineAsync = vi.fn<() => Promise<never>>(() => new Promise(() => {}));
    const device = deviceOf({ createComputePipelineAsync });
    expect(await checkMatrices(device, ABLE, { timeoutMs: 10 })).toBeUndefined();
    expect(createComputePipelineAsync).toHaveBeenCalledOnce();
  });
});
