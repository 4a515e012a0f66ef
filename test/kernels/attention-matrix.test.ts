/**
 * Attention on subgroup matrices against the f64 reference, through the emulator. On SwiftShader only:
 * the emulated text is the same for any adapter, and takes lavapipe minutes to compile.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { emulateSubgroupMatrices } from '../harness/subgroup-matrix-emulator.ts';
import { attentionCase } from './attention.cases.ts';
import { checkKernel } from './check-kernel.ts';

const base = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;
const NVIDIA: Target = { ...base, matrix: { m: 16, n: 16, k: 16 } };
const INTEL: Target = { ...base, matrix: { m: 8, n: 16, k: 16 } };
const APPLE: Target = { ...base, matrix: { m: 8, n: 8, k: 8 } };

const f16 = { dtype: 'f16' } as const;

// Where std is 1, no maximum grows by 2^8 after the first keys; where it is more, some do.
const CASES = [
  [NVIDIA, attentionCase({ ...f16, q: [1, 1, 16], kv: [1, 1], design: 'matrix64' })],
  [NVIDIA, attentionCase({ ...f16, q: [1, 70, 64], kv: [1, 45], design: 'matrix64' })],
  // k and v for both batch entries, packed; rows and keys beyond the tiles' multiples
  [
    NVIDIA,
    attentionCase({
      ...f16,
      q: [2, 150, 64],
      kv: [1, 77],
      heads: 2,
      std: 30,
      design: 'matrix128',
      packed: { widths: [72, 128, 128], offsets: { q: 8, k: 64, v: 0 } },
    }),
  ],
  [INTEL, attentionCase({ ...f16, q: [1, 130, 48], std: 8, causal: true, design: 'matrix64' })],
  [
    APPLE,
    attentionCase({ ...f16, q: [2, 65, 32], kv: [2, 100], heads: 2, std: 8, design: 'matrix64' }),
  ],
  [NVIDIA, attentionCase({ ...f16, q: [1, 64, 128], kv: [1, 96], std: 8, design: 'wide' })],
  [INTEL, attentionCase({ ...f16, q: [2, 32, 512], kv: [1, 64], heads: 2, design: 'wide' })],
] as const;

describe.each(adapterNames.filter((name) => name === 'swiftshader'))('%s', (name) => {
  let device: TestDevice;
  beforeAll(async () => {
    device = await openTestDevice(name);
  });
  afterAll(() => device?.device.destroy());

  test.each(CASES.map(([target, c]) => [c.name, target, c] as const))(
    '%s',
    async (_, target, c) => {
      const kernel = c.kernel(target);
      expect(kernel.wgsl).toContain('subgroupMatrixMultiplyAccumulate');
      await checkKernel(device, c, { ...kernel, wgsl: emulateSubgroupMatrices(kernel.wgsl) });
    },
  );
});
