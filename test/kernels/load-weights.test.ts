/** Weights from checkpoints to buffers: the device's way and the host's give the same bits. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import { type Blocks, byteLength, type Shape } from '../../src/engine/kernel.ts';
import type { PlanWeight } from '../../src/engine/plan.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { loadWeights } from '../../src/graph/load-weights.ts';
import type { WeightSource } from '../../src/graph/weight-source.ts';
import { packBlocks } from '../../src/weights/blocks.ts';
import { convert, type Layout, layoutType, type RawTensor } from '../../src/weights/layout.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { rawWeight } from '../harness/raw-weights.ts';

type From = Parameters<typeof rawWeight>[0];

interface Subject {
  readonly weight: PlanWeight;
  readonly tensor: RawTensor;
}

function subject(
  layout: Layout,
  from: From,
  to: 'f16' | 'f32',
  shape: Shape,
  { seed = 1, blocks }: { readonly seed?: number; readonly blocks?: Blocks } = {},
): Subject {
  const key = `unet/${layout}.${from}.${to}.${shape.join('x')}.${seed}${blocks ? ' in blocks' : ''}`;
  const tensor = rawWeight(from, shape, { name: key, seed });
  const type = layoutType(layout, to, shape);
  return { weight: { key, layout, type, ...(blocks && { blocks }) }, tensor };
}

/** The tensors as a model gives them; `log` tells what was read. */
function sourceOf(subjects: readonly Subject[], log: string[] = []): WeightSource {
  const of = ({ key }: PlanWeight): [number, RawTensor] => {
    const order = subjects.findIndex(({ weight }) => weight.key === key);
    return [order, subjects[order]!.tensor];
  };
  return {
    readWeight: async (weight) => {
      log.push(`whole ${weight.key}`);
      return convert(weight.layout as Layout, weight.type.dtype as 'f16' | 'f32', of(weight)[1]);
    },
    placeOf: (weight) => {
      const [order, { dtype, shape, bytes }] = of(weight);
      return {
        dtype,
        shape,
        bytes: bytes.length,
        order,
        read: async (begin, target, signal) => {
          await new Promise((resolve) => setTimeout(resolve, 1));
          signal?.throwIfAborted();
          log.push(`${begin} ${weight.key}`);
          target.set(bytes.subarray(begin, begin + target.length));
        },
      };
    },
  };
}

const weightsOf = (subjects: readonly Subject[]): PlanWeight[] =>
  subjects.map(({ weight }) => weight);

const SHAPES: readonly [Layout, ...Shape[]][] = [
  ['vector', [1], [7], [320]],
  ['rows', [3], [1, 77, 64]],
  ['linear', [16, 8], [5, 3], [33, 70], [72, 136], [264, 64, 1, 1], [8, 12]],
  ['conv', [8, 3, 3, 3], [3, 8, 3, 3], [16, 8, 3, 3], [40, 36, 1, 1], [16, 4, 2, 3], [24, 2, 2, 2]],
  ['phase', [5, 3, 3, 3], [8, 4, 3, 3], [136, 8, 3, 3]],
];

const FROM = ['F16', 'BF16', 'F32', 'F64'] as const;
const IN_BLOCKS: readonly [Layout, Shape][] = [
  ['linear', [48, 80]],
  ['conv', [32, 16, 3, 3]],
  ['phase', [144, 16, 3, 3]],
];
const ALL = [
  ...SHAPES.flatMap(([layout, ...shapes]) =>
    shapes.flatMap((shape) =>
      FROM.flatMap((from) =>
        (['f16', 'f32'] as const).map((to) => subject(layout, from, to, shape)),
      ),
    ),
  ),
  ...IN_BLOCKS.flatMap(([layout, shape]) =>
    FROM.map((from) => subject(layout, from, 'f16', shape, { blocks: { k: 16, n: 16 } })),
  ),
];
/** 22 MB, two batches: several pieces of a tensor, cut anywhere, and small ones among them. */
const LARGE = [
  subject('linear', 'F32', 'f16', [1280, 2560]),
  subject('vector', 'F16', 'f32', [1280]),
  subject('conv', 'F16', 'f16', [264, 512, 3, 3]),
  subject('linear', 'F16', 'f16', [2560, 1280], { seed: 2, blocks: { k: 8, n: 16 } }),
];

describe.each(adapterNames)('%s', (name) => {
  let opened: TestDevice;
  let context: EngineContext;
  let turnedBy: 'device' | 'host' | 'both' = 'device';
  beforeAll(async () => {
    opened = await openTestDevice(name);
  });
  afterAll(() => opened?.device.destroy());

  const load = async (
    subjects: readonly Subject[],
    {
      source = sourceOf(subjects),
      ...options
    }: Partial<Parameters<typeof loadWeights>[3]> & {
      source?: WeightSource;
    } = {},
  ) => {
    await loadWeights(context, weightsOf(subjects), source, {
      turnedBy,
      runBytes: 4096,
      deviceBytes: 0,
      ...options,
    });
  };
  const expectAll = async (subjects: readonly Subject[]) => {
    for (const { weight, tensor } of subjects) {
      const { key, layout, type, blocks } = weight;
      const bytes = await readBuffer(opened.device, context.weights.at(weight), byteLength(type));
      const plain = convert(layout as Layout, type.dtype as 'f16' | 'f32', tensor);
      const expected = blocks ? packBlocks(plain, type.shape.at(-1)!, blocks) : plain;
      expect(Buffer.compare(new Uint8Array(bytes), expected), key).toBe(0);
    }
  };
  beforeAll(() => {
    context = createContext(opened.device);
  });

  describe.each([
    ['device', 'cpu'],
    ['device', 'alu'],
    ['host', 'cpu'],
    ['both', 'cpu'],
  ] as const)('turned by the %s (%s)', (by, family) => {
    test('all layouts and types, padding included, bit for bit', async () => {
      const { capabilities } = context;
      context = { ...context, capabilities: { ...capabilities, family } };
      turnedBy = by;
      await load(ALL);
      await expectAll(ALL);
      context.weights.dispose();
    });
  });

  describe.each(['device', 'host'] as const)('turned by the %s', (by) => {
    beforeAll(() => {
      turnedBy = by;
    });
    test('pieces of large tensors; progress in bytes; nothing but the weights stays', async () => {
      const seen: number[][] = [];
      const log: string[] = [];
      const before = context.memory.bytes;
      await load(LARGE, {
        source: sourceOf(LARGE, log),
        onProgress: (done, total) => seen.push([done, total]),
      });
      const bytes = LARGE.reduce((sum, { tensor }) => sum + tensor.bytes.length, 0);
      expect(seen.length).toBeGreaterThanOrEqual(3);
      expect(seen.at(-1)).toEqual([bytes, bytes]);
      expect(seen.map(([done]) => done)).toEqual(
        seen.map(([done]) => done!).toSorted((a, b) => a - b),
      );
      expect(log.filter((line) => line.startsWith('whole'))).toEqual([]);
      expect(log.length).toBeGreaterThan(LARGE.length);
      expect(context.memory.bytes - before).toBe(context.weights.totalBytes);
      await expectAll(LARGE);
      await load(LARGE, { source: sourceOf(LARGE, log), onProgress: () => expect.unreachable() });
      expect(context.weights.bytesByComponent()).toEqual(
        new Map([['unet', LARGE.reduce((sum, { weight }) => sum + byteLength(weight.type), 0)]]),
      );
      context.weights.release('vae');
      expect(context.weights.totalBytes).toBeGreaterThan(0);
      context.weights.release('unet');
      expect(context.memory.bytes).toBe(before);
    });

    test('f16 cannot hold a value: refused by tensor and element, nothing stays', async () => {
      const before = context.memory.bytes;
      for (const [i, dtype, value, told] of [
        [1234, 'F32', 65520, 'element 1234 is 65520'],
        [77, 'F32', -Infinity, 'element 77 is -Infinity'],
      ] as const) {
        const good = subject('linear', 'F16', 'f16', [64, 64]);
        const bad = subject('linear', dtype, 'f16', [64, 64], { seed: 3 });
        new Float32Array(bad.tensor.bytes.buffer)[i] = value;
        await expect(load([good, bad])).rejects.toThrow(told);
        expect(context.memory.bytes).toBe(before);
        expect(context.weights.has(good.weight)).toBe(false);
      }
      // Infinity that needs no rounding is moved, as `convert` does.
      const moved = subject('linear', 'F16', 'f16', [64, 64], { seed: 4 });
      new Uint16Array(moved.tensor.bytes.buffer)[5] = 0x7c00;
      // Sums above f16 are found as well; large ones that it holds are not refused.
      const held = subject('phase', 'F16', 'f16', [8, 8, 3, 3], { seed: 5 });
      new Uint16Array(held.tensor.bytes.buffer)[0] = 0x7bff;
      await load([moved, held]);
      await expectAll([moved, held]);
      context.weights.dispose();
      const over = subject('phase', 'F16', 'f16', [8, 8, 3, 3], { seed: 6 });
      new Uint16Array(over.tensor.bytes.buffer).fill(0x7800, 0, 9);
      await expect(load([over])).rejects.toThrow('f16 ends at ±65504');
    });

    test('aborted while it reads: ends at once with nothing left, and can be done again', async () => {
      const before = context.memory.bytes;
      const abort = new AbortController();
      const log: string[] = [];
      const source = sourceOf(LARGE, log);
      const loading = load(LARGE, {
        source,
        signal: abort.signal,
        onProgress: () => abort.abort(new Error('enough')),
      });
      await expect(loading).rejects.toThrow('enough');
      const reads = log.length;
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(log.length).toBe(reads);
      expect(context.memory.bytes).toBe(before);
      await load(LARGE);
      await expectAll(LARGE);
      context.weights.dispose();
      expect(context.memory.bytes).toBe(before);
    });

    test('a read that fails: its error, nothing left, and it can be done again', async () => {
      const before = context.memory.bytes;
      const source = sourceOf(LARGE);
      const broken: WeightSource = {
        ...source,
        placeOf: (weight) => {
          const place = source.placeOf?.(weight);
          if (!place || weight.key !== LARGE[2]!.weight.key) return place;
          return { ...place, read: () => Promise.reject(new Error('the disk is gone')) };
        },
      };
      await expect(load(LARGE, { source: broken })).rejects.toThrow('the disk is gone');
      expect(context.memory.bytes).toBe(before);
      await load(LARGE);
      await expectAll(LARGE);
      context.weights.dispose();
    });
  });

  test('few bytes are converted on the host: no kernel is compiled for them', async () => {
    const compile = vi.spyOn(opened.device, 'createComputePipelineAsync');
    const some = ALL.slice(0, 8);
    await loadWeights(context, weightsOf(some), sourceOf(some));
    expect(compile).not.toHaveBeenCalled();
    compile.mockRestore();
    await expectAll(some);
    context.weights.dispose();
  });
});
