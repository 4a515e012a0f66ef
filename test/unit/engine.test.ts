/** The engine's pure parts: capabilities, error texts, submit cutting, parameter packing. */
import { describe, expect, test } from 'vitest';
import { packPlanParams, slotRequests } from '../../src/engine/binder.ts';
import { capabilitiesOf, expectWithin, requiredDevice, targetOf } from '../../src/engine/device.ts';
import { DeviceError, excerptOf } from '../../src/engine/errors.ts';
import { adaptRate, nextCut, workOf } from '../../src/engine/submits.ts';
import { smallPlan } from '../harness/plans.ts';

const LIMITS = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxStorageBuffersPerShaderStage: 10,
  maxComputeWorkgroupStorageSize: 49_152,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupSizeY: 1024,
  maxTextureDimension2D: 8192,
  maxComputeWorkgroupsPerDimension: 65_535,
  minUniformBufferOffsetAlignment: 64,
};

const fakeAdapter = (info: object, features: readonly string[] = []): GPUAdapter =>
  ({
    info: { vendor: '', architecture: '', device: '', description: '', ...info },
    features: new Set(features),
    limits: LIMITS,
  }) as unknown as GPUAdapter;

const NVIDIA = fakeAdapter(
  { vendor: 'nvidia', architecture: 'ada', subgroupMinSize: 32, subgroupMaxSize: 32 },
  ['timestamp-query', 'shader-f16', 'subgroups', 'depth-clip-control'],
);

const cutAll = (work: readonly number[], budget: number): number[] => {
  const ends: number[] = [];
  for (let at = 0; at < work.length; at = ends.at(-1)!) ends.push(nextCut(work, at, budget));
  return ends;
};

const fitting = (bytes: number) => () =>
  expectWithin(capabilitiesOf(NVIDIA), 'maxStorageBufferBindingSize', {
    what: 'vae.mid f32 [9]',
    bytes,
  });

describe('capabilities', () => {
  test('of a GPU', () => {
    const capabilities = capabilitiesOf(NVIDIA);
    expect(capabilities).toMatchObject({ family: 'alu', isSoftware: false, shaderF16: true });
    expect(capabilities.features[0]).toBe('depth-clip-control');
    expect(capabilities.limits).toEqual(LIMITS);
    expect(targetOf(capabilities)).toEqual({
      family: 'alu',
      shaderF16: true,
      subgroupSize: 32,
      adapter: { vendor: 'nvidia', architecture: 'ada' },
    });
    expect(structuredClone(capabilities)).toEqual(capabilities); // plain data
  });

  test.each([
    { description: 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)' },
    { architecture: 'swiftshader' },
    { vendor: 'microsoft', isFallbackAdapter: true },
  ])('of the software adapter %o', (info) => {
    expect(capabilitiesOf(fakeAdapter(info))).toMatchObject({ family: 'cpu', isSoftware: true });
  });

  test('a subgroup size that varies, or without the feature, is not relied upon', () => {
    expect(targetOf(capabilitiesOf(fakeAdapter({})))).toMatchObject({
      family: 'alu',
      shaderF16: false,
      subgroupSize: 0,
    });
  });

  test('requiredDevice asks for what is there and no more', () => {
    expect(requiredDevice(NVIDIA).requiredFeatures).toEqual([
      'shader-f16',
      'subgroups',
      'timestamp-query',
    ]);
    expect(requiredDevice(fakeAdapter({})).requiredFeatures).toEqual([]);
    expect(requiredDevice(NVIDIA).requiredLimits).toMatchObject({
      maxStorageBufferBindingSize: 2 ** 27,
      maxComputeWorkgroupStorageSize: 49_152,
    });
    expect(requiredDevice(NVIDIA).requiredLimits).not.toHaveProperty(
      'minUniformBufferOffsetAlignment',
    );
  });

  test('requiredDevice joins what the caller needs itself', () => {
    const own: GPUDeviceDescriptor = {
      label: 'viewer',
      requiredFeatures: ['float32-filterable', 'shader-f16'],
      requiredLimits: { maxTextureDimension2D: 16_384, maxBufferSize: 2 ** 40 },
    };
    expect(requiredDevice(NVIDIA, own)).toMatchObject({
      label: 'viewer',
      requiredFeatures: ['float32-filterable', 'shader-f16', 'subgroups', 'timestamp-query'],
      // The adapter refuses what it does not have, as it would without us.
      requiredLimits: { ...own.requiredLimits, maxStorageBufferBindingSize: 2 ** 27 },
    });
  });
});

describe('errors', () => {
  test('a DeviceError says what, got, needed, remedy', () => {
    expect(fitting(2 ** 27)).not.toThrow();
    expect(fitting(2 ** 27 + 4)).toThrow(DeviceError);
    expect(fitting(2 ** 27 + 4)).toThrow(
      'vae.mid f32 [9] does not fit maxStorageBufferBindingSize: got 134217728 bytes, needed 134217732 bytes. Try a smaller tile, precision f16 or another adapter; a device of your own may need the limits of requiredDevice(adapter).',
    );
  });

  test.each([
    [1, '> 1 | a\n  2 | b\n  3 | c'],
    [2, '  1 | a\n> 2 | b\n  3 | c'],
    [4, '  2 | b\n  3 | c\n> 4 | d'],
  ])('an excerpt has three lines, line %i marked', (line, expected) => {
    expect(excerptOf('a\nb\nc\nd', line)).toBe(expected);
  });
});

describe('submits', () => {
  test('are cut at the budget and hold at least one dispatch', () => {
    expect(cutAll([1, 2, 3, 4, 10, 1, 1], 5)).toEqual([2, 3, 4, 5, 7]);
    expect(cutAll([1, 2, 3], 0)).toEqual([1, 2, 3]);
    expect(cutAll([1, 2, 3], Infinity)).toEqual([3]);
    expect(cutAll([], 5)).toEqual([]);
  });

  test('work is the larger of arithmetic and traffic, and never nothing', () => {
    expect(workOf({ flops: 5e9, bytes: 1 })).toBe(5e9 + 1e6);
    expect(workOf({ flops: 0, bytes: 1e6 })).toBe(8e6 + 1e6);
    expect(workOf({ flops: 0, bytes: 0 })).toBe(1e6);
  });

  test('the rate converges to the measured one from either side, in bounded steps', () => {
    for (const start of [1, 1e9]) {
      let rate = start;
      for (let i = 0; i < 30; i++) {
        const next = adaptRate(rate, 5000, 5);
        expect(next / rate).toBeLessThanOrEqual(4);
        expect(next / rate).toBeGreaterThanOrEqual(0.25);
        rate = next;
      }
      expect(rate).toBeCloseTo(1000, 1);
    }
  });
});

describe('plans', () => {
  const target = { family: 'cpu', shaderF16: false, subgroupSize: 4 } as const;
  const plan = smallPlan({ dtype: 'f32', shape: [4] }, target);

  test('params are packed at aligned offsets', () => {
    const { bytes, ranges } = packPlanParams(plan.dispatches, 256);
    expect(ranges).toEqual([0, 256, 512].map((offset) => ({ offset, size: 32 })));
    const words = new DataView(bytes.buffer);
    expect(words.getUint32(0, true)).toBe(1); // affine's `vectors`
    expect(words.getFloat32(256 + 4, true)).toBe(3); // alpha of net.scale
  });

  test('slots know their largest tensor and whether prepare owns them', () => {
    expect(slotRequests(plan)).toEqual([
      { bytes: 16, what: 'net.fold f32 [4]', isExclusive: true },
      { bytes: 16, what: 'net.add f32 [4]', isExclusive: false },
      { bytes: 16, what: 'net.scale f32 [4]', isExclusive: false },
    ]);
  });
});
