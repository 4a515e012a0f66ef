/** What `bench kernels` times: every shape of the path, by names that stay, cut only where told. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { idOf, sizeTextOf } from '../../bench/case-name.ts';
import {
  type BenchCase,
  caseOf,
  layerCases,
  modelCases,
  selectCases,
  withinFlops,
} from '../../bench/cases.ts';
import { cutTo } from '../../bench/cut.ts';
import type { Kernel, TensorType } from '../../src/engine/kernel.ts';
import { dispatchesOf } from '../../src/engine/plan.ts';
import { lower } from '../../src/graph/lower.ts';
import { FULL_SIZE, fullSizeGraph } from '../../src/invsr/full-size.ts';
import { STAGES } from '../../src/invsr/tile-graph.ts';

const alu = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;
const official = { model: FULL_SIZE, name: '' };
const options = { precision: 'f16', tile: 128, timesteps: [200], target: alu } as const;
const cases = modelCases(official, options);
const layers = layerCases(official, options, { compact: false });
const cpu = { family: 'cpu', shaderF16: true, subgroupSize: 8 } as const;

const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });
const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

/** Rows of the table of shapes: products and attentions of the official networks, counted by hand. */
const shapes = readFileSync('test/unit/data/shapes.csv', 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split(','));

const NETWORK: Readonly<Record<string, string>> = {
  'Noise predictor': 'noise_predictor',
  'VAE encoder': 'vae.encoder',
  'VAE decoder': 'vae.decoder',
  UNet: 'unet',
};

/** Channels that are no multiple of 4 are padded: RGB as one of the terms, or as the result. */
const padded = (m: number, n: number, k: number): string =>
  [m, 4 * Math.ceil(n / 4), k === 27 ? 36 : k].join('x');

describe('the table of shapes', () => {
  test.each(shapes)('%s: %s %s x %s x %s, %s times', (part, kind = '', m, n, k, count) => {
    const heads = /^attn (h\d+)$/.exec(kind)?.[1];
    const size = heads ? `${m}x${n}x${k} ${heads}` : padded(Number(m), Number(n), Number(k));
    const ops: Readonly<Record<string, string>> = {
      linear: 'linear',
      conv3x3s1: 'conv2d',
      conv3x3s2: 'conv2d',
      'up+conv3x3s1': 'upsampleConv2d',
    };
    const op = heads ? 'attention' : ops[kind];
    const stride = kind === 'conv3x3s2' ? 2 : 1;
    const found = layers.filter(
      (one) =>
        one.op === op && one.size === size && Number(one.constants['stride'] ?? 1) === stride,
    );
    // The VAE's two 1x1 convolutions around the latent belong to no network of ours.
    const network = Number(n) <= 8 && kind === 'linear' ? 'other' : NETWORK[part ?? ''];
    const counts = found.map((one) =>
      one.counts ? (one.counts[network ?? ''] ?? 0) : one.network === network ? one.count : 0,
    );
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(Number(count));
  });

  test('is all there', () => expect(shapes).toHaveLength(98));

  test('is among what is timed', () => {
    const timed = new Set(cases.map(({ id }) => id));
    expect(layers.filter(({ id }) => !timed.has(id))).toEqual([]);
  });
});

test('every dispatch of the plans is a case, as often as they have it', () => {
  const plans = STAGES.map((stage) =>
    lower(fullSizeGraph(stage, options), alu, { keep: () => false, compact: false }),
  );
  const dispatches = plans.flatMap(dispatchesOf);
  // Without params: values such as eps make no case of their own.
  const keyOf = ({ name, wgsl, workgroups, cost }: Kernel): string =>
    [name, workgroups.join('x'), cost.flops, cost.bytes, wgsl].join(' ');
  const wanted = new Set(dispatches.map(({ kernel }) => keyOf(kernel)));
  const timed = cases.filter(({ count }) => count > 0);
  const steps = timed.flatMap((one) => one.steps?.(alu) ?? []);
  expect(steps).toHaveLength(timed.length);
  const known = new Set(steps.map(({ kernel }) => keyOf(kernel)));
  expect([...wanted].filter((key) => !known.has(key))).toEqual([]);
  expect(timed.reduce((sum, { count }) => sum + count, 0)).toBe(dispatches.length);
  // Products that write moments, read them, are split, or are two.
  for (const part of ['momentChannels 10', 'moments f32', 'of conv2d', 'x2 f16 [1,4096,320]']) {
    expect(timed.filter(({ id }) => id.includes(part)).length, part).toBeGreaterThan(0);
  }
});

test('an algorithm is one that the device can bind', () => {
  const work = {
    op: 'conv2d',
    inputs: { x: f16(1, 16, 16, 1280), weight: f16(3, 3, 1280, 1280) },
    constants: { padding: { top: 1, left: 1, bottom: 1, right: 1 } },
    output: f16(1, 16, 16, 1280),
  };
  const bytes = 4 * 16 * 16 * 1280 * 4; // of four parts
  const of = (maxBindingBytes: number) => caseOf(work, { network: '', count: 1, maxBindingBytes });
  expect(of(bytes).design?.(alu)).toBe('split4');
  expect(of(bytes).steps?.(alu)).toHaveLength(2);
  expect(of(bytes - 1).design?.(alu)).not.toBe('split4');
  expect(of(bytes - 1).steps?.(alu)).toHaveLength(1);
});

describe('names', () => {
  test('are unique', () => {
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
  });

  test('stay as they are: old records are matched by them', () => {
    const inputs = {
      x: f16(1, 64, 64, 320),
      weight: f16(3, 3, 320, 640),
      bias: f32(640),
      residual: f16(1, 64, 64, 640),
    };
    const output = f16(1, 64, 64, 640);
    const padding = { top: 1, left: 1, bottom: 1, right: 1 };
    const constants = { stride: 1, padding, activation: 'silu', dtype: 'f16' };
    const work = { op: 'conv2d', inputs, constants, output };
    expect(idOf(work)).toBe(
      'conv2d x f16 [1,64,64,320], weight f16 [3,3,320,640], bias, residual f16 [1,64,64,640], activation silu',
    );
    expect(sizeTextOf(work)).toBe('4096x640x2880');
    // Values that only fill uniforms are no part of it, what changes the work is.
    const affine = { op: 'affine', inputs: { a: f32(1, 8, 8, 4) }, output: f32(1, 8, 8, 4) };
    expect(idOf({ ...affine, constants: { alpha: 2 } })).toBe('affine a f32 [1,8,8,4]');
    expect(idOf({ ...affine, constants: { alpha: 3, dtype: 'f16' } })).toBe(
      'affine a f32 [1,8,8,4], dtype f16',
    );
    expect(idOf({ op: 'timestepEmbedding', inputs: {}, constants: { dim: 320 }, output })).toBe(
      'timestepEmbedding dim 320',
    );
  });
});

describe('selection', () => {
  const named = (selection: Parameters<typeof selectCases>[1]): string[] =>
    selectCases(cases, selection).map(({ op, size }) => `${op} ${size}`);

  test('by op, in any case', () => {
    expect(new Set(named({ filter: 'GroupNormpartial' }).map((one) => one.split(' ')[0]))).toEqual(
      new Set(['groupNormPartial']),
    );
  });

  test('by a size in the text, and by whole numbers of a size', () => {
    expect(new Set(named({ filter: '4096x4096' }))).toEqual(
      new Set([
        'attention 4096x4096x64 h8',
        'attention 4096x4096x512 h1',
        'attention 4096x4096x64 h5',
      ]),
    );
    expect(named({ shape: '4096x4096x64', network: 'unet' })).toEqual([
      'attention 4096x4096x64 h5',
    ]);
    expect(named({ shape: '4x4096' })).toEqual([]); // of 64x4096 it is only a part
  });

  test('by network, also where another has it more often', () => {
    expect(named({ network: 'vae.encoder', filter: 'attention' })).toEqual([
      'attention 4096x4096x512 h1',
    ]);
    expect(named({ network: 'vae.decoder', filter: 'attention' })).toEqual([
      'attention 4096x4096x512 h1',
    ]);
  });
});

describe('cuts', () => {
  const cut = (from: BenchCase): BenchCase => {
    const one = withinFlops(from, cpu, 2e9);
    if (typeof one === 'string') throw new Error(one);
    return one;
  };

  test('keep width, channels, terms and keys, and the limit where whole tiles allow it', () => {
    for (const from of layers) {
      const one = cut(from);
      const { flops } = one.kernel(cpu).cost;
      if (one === from) {
        expect(flops).toBeLessThanOrEqual(2.5e9);
        continue;
      }
      // The fewest lines of the widest product are 2^32: whole tiles of rows in all four phases.
      expect(flops, one.id).toBeLessThanOrEqual(2 ** 32);
      expect(one.cut).toMatch(/^(rows|lines|queries) \d+ of \d+$/);
      expect(one.id).toBe(`${from.id}, cut to ${one.cut}`);
      for (const [name, type] of Object.entries(one.inputs)) {
        const whole = from.inputs[name];
        const differing = type.shape.flatMap((d, axis) => (d === whole?.shape[axis] ? [] : [axis]));
        expect([[], [1]], `${one.id}: ${name}`).toContainEqual(differing);
        if (!['x', 'x2', 'q', 'residual'].includes(name)) expect(differing).toEqual([]);
      }
    }
  });

  test('leave each phase of an upsampling whole tiles of lines', () => {
    const work = {
      op: 'upsampleConv2d',
      inputs: { x: f16(1, 64, 64, 512), weight: f16(2, 2, 2, 2, 512, 512) },
      constants: {},
      output: f16(1, 128, 128, 512),
    };
    expect(cutTo(work, 0)).toMatchObject({
      inputs: { x: f16(1, 4, 64, 512) },
      words: 'lines 8 of 128',
    });
  });

  test('leave what they cannot cut, and say so', () => {
    const output = f16(1, 77, 1024);
    const work = { op: 'attention', inputs: { q: output, k: output, v: output }, output };
    expect(cutTo({ ...work, constants: { heads: 16, causal: true } }, 0.5)).toBeUndefined();
    const [first] = selectCases(cases, { filter: 'bicubic' });
    expect(withinFlops(first!, cpu, 1)).toMatch(/cannot be cut; a higher --max-gflop runs it/);
  });

  test('keep tensors together that are one', () => {
    const qkv = f16(1, 4096, 960);
    const work = {
      op: 'attention',
      inputs: { q: qkv, k: qkv, v: qkv },
      constants: { heads: 5, channels: 320, offsets: { q: 0, k: 320, v: 640 } },
      output: f16(1, 4096, 320),
      aliases: { k: 'q', v: 'q' },
    };
    const found = cutTo(work, 1 / 8);
    expect(found?.inputs).toEqual({ q: f16(1, 512, 960), k: qkv, v: qkv });
    expect(found?.aliases).toEqual({ v: 'k' });
    expect(found?.output).toEqual(f16(1, 512, 320));
  });
});

test('a case whose kernel is made already is never cut', () => {
  const one = cases.find(({ op }) => op === 'attention')!;
  expect(withinFlops(one, cpu, 1e9)).toHaveProperty('cut');
  expect(withinFlops({ ...one, isMade: true }, cpu, 1e6)).toMatch(/cannot be cut/);
});
