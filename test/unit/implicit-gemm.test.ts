/** Contracts of the matrix-product ops that need no adapter. */
import { describe, expect, test } from 'vitest';
import type { Target, TensorType } from '../../src/engine/kernel.ts';
import { conv2d } from '../../src/kernels/conv2d.ts';
import { linear } from '../../src/kernels/linear.ts';
import { upsampleConv2d } from '../../src/kernels/upsample-conv2d.ts';

const TARGETS: readonly Target[] = [
  { family: 'cpu', shaderF16: true, subgroupSize: 8 },
  { family: 'alu', shaderF16: true, subgroupSize: 32 },
];
const CPU = TARGETS[0]!;

const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });
const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

test.each(TARGETS)('the three ops and all their shapes share one pipeline on $family', (target) => {
  const bias = f32(16);
  const { wgsl } = linear({ x: f16(77, 64), weight: f16(64, 16), bias }, {}, target);
  expect(
    conv2d({ x: f16(2, 8, 8, 8), weight: f16(3, 3, 8, 16), bias }, { stride: 2 }, target).wgsl,
  ).toBe(wgsl);
  expect(
    upsampleConv2d({ x: f16(1, 5, 7, 4), weight: f16(2, 2, 2, 2, 4, 16), bias }, {}, target).wgsl,
  ).toBe(wgsl);
});

describe('designs on GPUs', () => {
  const [, gpu = CPU] = TARGETS;
  const chosen = (rows: number, columns: number, target = gpu) =>
    linear({ x: f16(rows, 320), weight: f16(320, columns) }, {}, target).choice;

  test.each([
    [262_144, 128, 'tile128x64'],
    [4096, 512, 'tile128x64'],
    [1024, 640, 'tile64x64'],
    [16, 1280, 'tile32x64'],
    [4096, 32, 'tile128x32'],
    [4096, 12, 'tile128x16'],
    [262_144, 4, 'tile128x4'],
  ])('%i pixels of %i columns: %s', (rows, columns, design) => {
    expect(chosen(rows, columns)?.design).toBe(design);
  });

  test('all candidates are there by name, and share a key', () => {
    const choice = chosen(4096, 512);
    expect(choice?.key).toBe('gemm f16 f16 1x1 m4096 n512 k512');
    expect(choice?.candidates).toContain('tile128x64 chunk');
    for (const design of choice?.candidates ?? []) {
      const tuned = { ...gpu, designs: { [choice?.key ?? '']: design } };
      expect(chosen(4096, 512, tuned)?.design).toBe(design);
    }
  });

  test('without f16 arithmetic, tiles are f32 and have to fit', () => {
    const candidates = chosen(4096, 512, { ...gpu, shaderF16: false })?.candidates;
    expect(candidates).toEqual(['tile128x64', 'tile64x64', 'tile32x64', 'tile128x64 packed']);
  });
});

test('cost counts a multiply-add as 2 and upsampling as four 2×2 convolutions', () => {
  const plain = conv2d({ x: f16(1, 6, 10, 4), weight: f16(3, 3, 4, 8) }, {}, CPU);
  expect(plain.cost.flops).toBe(2 * (4 * 8) * 8 * (9 * 4));
  const up = upsampleConv2d({ x: f16(1, 6, 10, 4), weight: f16(2, 2, 2, 2, 4, 8) }, {}, CPU);
  expect(up.cost.flops).toBe(2 * (12 * 20) * 8 * (4 * 4));
});

describe('rejects', () => {
  test('channels that are no multiple of 4', () => {
    expect(() => linear({ x: f16(3, 6), weight: f16(6, 8) }, {}, CPU)).toThrow('multiples of 4');
    expect(() => linear({ x: f16(3, 8), weight: f16(8, 6) }, {}, CPU)).toThrow('multiples of 4');
  });
  test('a weight of other input channels', () => {
    expect(() => conv2d({ x: f16(1, 4, 4, 8), weight: f16(3, 3, 4, 8) }, {}, CPU)).toThrow(
      'weight is f16 [3,3,4,8], expected [3,3,8,8]',
    );
  });
  test('two ways to read x at once', () => {
    const layer = { x: f16(3, 8), weight: f16(12, 8), x2: f16(3, 4) };
    expect(() => linear({ ...layer, gamma: f32(12), columns: f32(8) }, {}, CPU)).toThrow('two of');
  });
  test('an f16 bias', () => {
    expect(() => linear({ x: f16(3, 8), weight: f16(8, 8), bias: f16(8) }, {}, CPU)).toThrow(
      'bias is f16 [8], not f32',
    );
  });
  test('an image smaller than the kernel', () => {
    expect(() => conv2d({ x: f16(1, 2, 2, 4), weight: f16(3, 3, 4, 4) }, {}, CPU)).toThrow(
      'smaller',
    );
  });
  test('a residual of another shape', () => {
    expect(() => linear({ x: f16(3, 8), weight: f16(8, 8), residual: f16(3, 4) }, {}, CPU)).toThrow(
      'residual is f16 [3,4], expected [3,8]',
    );
  });
});
