/** The check of subgroup matrices on devices that are none; real products in test/kernels. */
import { describe, expect, test, vi } from 'vitest';
import {
  capabilitiesOf,
  type Capabilities,
  MATRIX_FEATURE,
  SIZE_FEATURE,
} from '../../src/engine/device.ts';
import { matrixCandidates, whyNoCandidate } from '../../src/engine/matrix-candidates.ts';
import { checkMatrices } from '../../src/engine/matrix-check.ts';
import { reportMatrices } from '../../src/engine/matrix-report.ts';
import { listAdapters } from '../../src/engine/node-device.ts';
import { AMD, APPLE, INTEL, INTEL_16, NVIDIA } from '../harness/matrices.ts';

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

const requestDevice = vi.fn<() => Promise<GPUDevice>>();
const ADAPTER = {
  requestDevice,
  info: {
    vendor: 'nvidia',
    architecture: 'hopper',
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    subgroupMatrixConfigs: LISTED,
  },
  features: new Set(['shader-f16', 'subgroups', MATRIX_FEATURE]),
  limits: { maxComputeWorkgroupStorageSize: 49_152, maxComputeInvocationsPerWorkgroup: 1024 },
} as unknown as GPUAdapter;

const ABLE: Capabilities = capabilitiesOf(ADAPTER);

const CANDIDATES = matrixCandidates(ABLE);

const WEAK = { ...ABLE.limits, maxComputeWorkgroupStorageSize: 16_384 };

/** As Vulkan tells of Intel's and AMD's, and Metal of Apple's. */
const VARYING: Capabilities = {
  ...ABLE,
  vendor: 'intel',
  subgroupMinSize: 8,
  subgroupMaxSize: 32,
  features: [...ABLE.features, SIZE_FEATURE],
  matrixConfigs: ABLE.matrixConfigs.slice(0, 1),
};
const METAL: Capabilities = {
  ...ABLE,
  vendor: 'apple',
  subgroupMinSize: 4,
  subgroupMaxSize: 64,
  matrixConfigs: (['f16', 'f32'] as const).map((type) => ({
    m: 8,
    n: 8,
    k: 8,
    componentType: type,
    resultComponentType: type,
  })),
};

describe('candidates', () => {
  test('what kernels know of what is listed, the best first', () => {
    expect(ABLE.matrixConfigs).toHaveLength(LISTED.length);
    expect(structuredClone(ABLE)).toEqual(ABLE);
    expect(CANDIDATES).toEqual([NVIDIA, { ...NVIDIA, m: 8 }]);
  });
  test('where compilers choose the size of subgroups, kernels ask for one', () => {
    expect(matrixCandidates(VARYING)).toEqual([INTEL, INTEL_16]);
    const amd = { subgroupMinSize: 32, subgroupMaxSize: 64, matrixConfigs: ABLE.matrixConfigs };
    expect(matrixCandidates({ ...VARYING, ...amd })).toContainEqual(AMD);
  });
  test("Apple's have one size, which is to be found out", () => {
    const sizes = [32, 16, 64];
    expect(matrixCandidates(METAL)).toEqual(
      sizes.map((subgroupSize) => ({ ...APPLE, subgroupSize })),
    );
  });
  test.each([
    ['the feature', { features: ['shader-f16', 'subgroups'] }, `no ${MATRIX_FEATURE}`],
    ['f16', { features: ['subgroups', MATRIX_FEATURE] }, 'no shader-f16'],
    ['a known size', { subgroupMinSize: 8 }, `subgroups of 8 to 32, and no ${SIZE_FEATURE}`],
    ['wide subgroups', { subgroupMinSize: 8, subgroupMaxSize: 8 }, 'subgroups of 8'],
    ['shared memory', { limits: WEAK }, '16384 bytes of shared memory, not 32768'],
  ])('none without %s, and why', (_, lacking, why) => {
    const capabilities = { ...ABLE, ...lacking };
    expect(matrixCandidates(capabilities)).toEqual([]);
    const [, , config] = ABLE.matrixConfigs;
    expect(whyNoCandidate(capabilities, config!)).toBe(why);
  });
  test('nor without f32 sums', () => {
    const matrixConfigs = ABLE.matrixConfigs.slice(1, 2);
    expect(matrixCandidates({ ...ABLE, matrixConfigs })).toEqual([]);
    expect(whyNoCandidate(ABLE, matrixConfigs[0]!)).toBe('no kernels for it');
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
    const found = checkMatrices(deviceOf({ createShaderModule }), []);
    expect(await found).toBeUndefined();
    expect(createShaderModule).not.toHaveBeenCalled();
  });
  test('where it throws', async () => {
    const createShaderModule = vi.fn<() => object>(() => {
      throw new Error('lost');
    });
    expect(await checkMatrices(deviceOf({ createShaderModule }), CANDIDATES)).toBeUndefined();
    expect(createShaderModule).toHaveBeenCalledTimes(CANDIDATES.length);
  });
  test('with every scope closed, whatever throws', async () => {
    const pushErrorScope = vi.fn<() => void>();
    const popErrorScope = vi.fn<() => Promise<null>>(() => Promise.resolve(null));
    const createShaderModule = vi.fn<() => object>(() => {
      throw new Error('lost');
    });
    const scopes = { pushErrorScope, popErrorScope };
    await checkMatrices(deviceOf({ ...scopes, createShaderModule }), CANDIDATES);
    // This device has no queue to run anything.
    const createComputePipelineAsync = (): Promise<object> => Promise.resolve({});
    await checkMatrices(deviceOf({ ...scopes, createComputePipelineAsync }), CANDIDATES);
    expect(pushErrorScope).toHaveBeenCalledTimes(3 * CANDIDATES.length);
    expect(popErrorScope).toHaveBeenCalledTimes(3 * CANDIDATES.length);
  });
  test('where pipelines are refused', async () => {
    const createComputePipelineAsync = vi.fn<() => Promise<never>>(() =>
      Promise.reject(new Error('no such matrix')),
    );
    expect(
      await checkMatrices(deviceOf({ createComputePipelineAsync }), CANDIDATES),
    ).toBeUndefined();
    expect(createComputePipelineAsync).toHaveBeenCalledTimes(CANDIDATES.length);
  });
  test('where it hangs', async () => {
    const createComputePipelineAsync = vi.fn<() => Promise<never>>(() => new Promise(() => {}));
    const device = deviceOf({ createComputePipelineAsync });
    expect(await checkMatrices(device, CANDIDATES, { timeoutMs: 10 })).toBeUndefined();
    expect(createComputePipelineAsync).toHaveBeenCalledOnce();
  });
});

vi.mock('../../src/engine/node-adapters.ts', async (original) => ({
  ...(await original<object>()),
  async *adapters() {
    yield ADAPTER;
  },
}));

describe('what becomes of each kind', () => {
  const createShaderModule = (): never => {
    throw new Error('refused');
  };
  const scopes = { pushErrorScope() {}, popErrorScope: () => Promise.resolve(null) };
  const open = (): Promise<GPUDevice> =>
    Promise.resolve({ ...scopes, createShaderModule } as never);

  test('why it is not used, by the check and without', async () => {
    const found = await reportMatrices(ABLE, { open });
    expect(found.map(({ used, why }) => used ?? why)).toEqual([
      'subgroups of 32: Error: refused',
      'no kernels for it',
      'subgroups of 32: Error: refused',
      'no kernels for it',
      'no kernels for it',
    ]);
    expect(found.map(({ trials }) => trials.length)).toEqual([1, 0, 1, 0, 0]);
  });
  test('after one that does not answer in time no other is tried', async () => {
    const createComputePipelineAsync = vi.fn<() => Promise<never>>(() => new Promise(() => {}));
    const found = await reportMatrices(ABLE, {
      timeoutMs: 10,
      open: () =>
        Promise.resolve({
          ...scopes,
          createShaderModule: () => ({}),
          createComputePipelineAsync,
        } as never),
    });
    expect(createComputePipelineAsync).toHaveBeenCalledOnce();
    expect(found.map(({ why }) => why)).toEqual([
      'not tried: one before gave no answer',
      'no kernels for it',
      'subgroups of 32: no answer in time',
      'no kernels for it',
      'no kernels for it',
    ]);
  });
  test('the device that listAdapters tries them on is destroyed', async () => {
    const destroy = vi.fn<() => void>();
    requestDevice.mockResolvedValue({ ...scopes, createShaderModule, destroy } as never);
    const [listed] = await listAdapters();
    expect(listed?.matrices[0]?.why).toBe('subgroups of 32: Error: refused');
    expect(destroy).toHaveBeenCalledOnce();
  });
  test('a device that cannot be made is told', async () => {
    const found = await reportMatrices(ABLE, { open: () => Promise.reject(new Error('busy')) });
    expect(found.map(({ why }) => why)).toEqual([
      'no device: Error: busy',
      'no kernels for it',
      'no device: Error: busy',
      'no kernels for it',
      'no kernels for it',
    ]);
  });
  test('no device where matrices are off', async () => {
    const openNone = vi.fn<() => Promise<GPUDevice>>();
    const found = await reportMatrices(ABLE, { whyOff: 'INVSR_MATRIX=off', open: openNone });
    expect(new Set(found.map(({ why }) => why))).toEqual(new Set(['INVSR_MATRIX=off']));
    expect(openNone).not.toHaveBeenCalled();
  });
});
