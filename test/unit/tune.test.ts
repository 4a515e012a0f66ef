/** Tuning without a device: who wins, what can be verified, when there is time for it. */
import { describe, expect, test, vi } from 'vitest';
import { createQueue } from '../../src/engine/queue.ts';
import type { Target, TensorType } from '../../src/engine/kernel.ts';
import { sizeOf } from '../../src/engine/kernel.ts';
import type { Node } from '../../src/graph/graph.ts';
import type { OpName } from '../../src/graph/ops.ts';
import { openModel } from '../../src/invsr/model.ts';
import { attentionReference } from '../../src/kernels/attention.ts';
import { conv2dReference } from '../../src/kernels/conv2d.ts';
import { groupNormApplyReference } from '../../src/kernels/group-norm.ts';
import { linearReference } from '../../src/kernels/matmul.ts';
import { upsampleConv2dReference } from '../../src/kernels/upsample-conv2d.ts';
import { quietGate } from '../../src/tune/background.ts';
import { areExact } from '../../src/tune/clock.ts';
import { contenders, decide, estimate, MAX_ROUNDS, rankScore } from '../../src/tune/decide.ts';
import { noiseOf } from '../../src/tune/noise.ts';
import { type Reference, referenceOf, samplePixels } from '../../src/tune/sampled-reference.ts';
import { nmse } from '../../src/tune/tolerance.ts';
import { modelSubjects } from '../../src/tune/tune-model.ts';
import { NVIDIA, withMatrix } from '../harness/matrices.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { normal, uniform } from '../harness/random.ts';

/** Times around `mean`, of which a tenth are three times as long. */
const timesOf = (mean: number, seed: number, std = 0.02): number[] => {
  const next = uniform(seed);
  return [...normal(MAX_ROUNDS, seed, { mean, std: std * mean })].map((time) =>
    next() < 0.1 ? 3 * time : time,
  );
};

describe('decide', () => {
  test('takes the fastest of several that beat the first', () => {
    const samples = { a: timesOf(10, 1), b: timesOf(8, 2), c: timesOf(7, 3), d: timesOf(12, 4) };
    expect(decide('a', samples)).toBe('c');
  });
  test('the first stands where the gain is small', () => {
    expect(decide('a', { a: timesOf(10, 1), b: timesOf(9.8, 2) })).toBe('a');
  });
  test('the first stands where the gain is within the noise', () => {
    expect(decide('a', { a: timesOf(10, 1, 0.3), b: timesOf(9.2, 2, 0.3) })).toBe('a');
  });
  test('among equals the first wins in nearly all of a thousand races', () => {
    let lost = 0;
    for (let seed = 0; seed < 2000; seed += 2) {
      const samples = { a: timesOf(10, seed + 1, 0.1), b: timesOf(10, seed + 2, 0.1) };
      if (decide('a', samples) !== 'a') lost++;
    }
    // 0.6 % by the ranks, fewer with the gain that is wanted besides
    expect(lost).toBeLessThan(15);
  });
  test('without the first, the fastest of the others', () => {
    expect(decide('a', { b: timesOf(12, 1), c: timesOf(11, 2) })).toBe('c');
    expect(decide('a', {})).toBe('a');
  });
  test('a challenger with few samples wins nothing', () => {
    expect(decide('a', { a: timesOf(10, 1), b: [5, 5, 5] })).toBe('a');
  });
});

test('slow samples do not move an estimate, nor hide a difference', () => {
  const disturbed = [4, 4.1, 4.2, 4.3, 9, 20, 31, 60];
  expect(estimate(disturbed).time).toBeLessThan(4.2);
  expect(decide('a', { a: disturbed, b: [1, 1.1, 1.2, 3, 5, 8, 10, 12] })).toBe('a'); // they overlap
  expect(decide('a', { a: disturbed, b: [1, 1.1, 1.2, 1.3, 1.4, 1.5, 3, 8] })).toBe('b');
});

test('ranks: no difference is 0, five against five without overlap suffice', () => {
  expect(rankScore([1, 2, 3], [1, 2, 3])).toBe(0);
  expect(rankScore([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2.61, 2);
  expect(decide('a', { a: [6, 7, 8, 9, 10], b: [1, 2, 3, 4, 5] })).toBe('b');
  expect(decide('a', { a: [6, 7, 8, 9, 10], b: [1, 2, 3, 4, 6.5] })).toBe('a');
});

test('what is far behind is timed no more, but the first', () => {
  expect(contenders('a', { a: [20], b: [10], c: [12], d: [14] })).toEqual(['a', 'b', 'c']);
});

test('timestamps are used where they are finer than the kernels', () => {
  expect(areExact([123_456, 78_901, 45_678])).toBe(true);
  expect(areExact([65_536, 131_072, 65_536])).toBe(false); // browsers' quantisation
  expect(areExact([100_000, 300_000, 0])).toBe(false);
  expect(areExact([0, 0, 0])).toBe(false);
});

describe('sampled pixels', () => {
  test('have the first, the last, no doubles, and are always the same', () => {
    const pixels = samplePixels(1_000_000, 24);
    expect(pixels).toHaveLength(24);
    expect(new Set(pixels).size).toBe(24);
    expect([pixels[0], pixels.at(-1)]).toEqual([0, 999_999]);
    expect(samplePixels(1_000_000, 24)).toEqual(pixels);
  });
  test('are all of a few', () => expect(samplePixels(3, 24)).toEqual([0, 1, 2]));
});

// --- sampled references are the whole ones --------------------------------------------------------

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

const nodeOf = (
  op: OpName,
  inputs: Readonly<Record<string, TensorType>>,
  constants: object,
  output: TensorType,
): Node => {
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, type], i) => [name, { ...type, id: i + 1 }]),
  );
  return { op, path: op, inputs: tensors, constants, output: { ...output, id: 0 } } as Node;
};

/** Every pixel of the sampled reference, and every input whole. */
function allOf(node: Node): { actual: number[]; data: Record<string, Float32Array> } {
  const reference = referenceOf(node) as Reference;
  const channels = node.output.shape.at(-1)!;
  const pixels = Array.from({ length: sizeOf(node.output.shape) / channels }, (_, i) => i);
  const inputs = Object.entries(reference.inputs).flatMap(([name, noise]) =>
    noise ? [[name, noise.slice(0, sizeOf(noise.type.shape))] as const] : [],
  );
  return {
    actual: pixels.flatMap((pixel) => [...reference.expected(pixel)]),
    data: Object.fromEntries(inputs),
  };
}

const expectSame = (actual: readonly number[], expected: Float32Array): void => {
  expect(actual).toHaveLength(expected.length);
  expect(nmse(actual, expected)).toBeLessThan(1e-14);
};

describe('the sampled reference is the whole one, pixel by pixel:', () => {
  test('linear', () => {
    const inputs = { x: f16(1, 5, 8), weight: f16(8, 12), bias: f32(12), residual: f16(1, 5, 12) };
    const { actual, data } = allOf(nodeOf('linear', inputs, { activation: 'gelu' }, f16(1, 5, 12)));
    const whole = linearReference(data as Parameters<typeof linearReference>[0], {
      inner: 8,
      activation: 'gelu',
    });
    expectSame(actual, whole);
  });
  test.each([1, 2] as const)('conv2d, stride %i', (stride) => {
    const side = stride === 1 ? [7, 5] : [4, 3];
    const inputs = {
      x: f32(2, 7, 5, 8),
      weight: f16(3, 3, 8, 4),
      bias: f32(4),
      shift: f32(2, 4),
      residual: f32(2, ...side, 4),
    };
    const padding = { top: 1, left: 1, bottom: 1, right: 1 };
    const constants = { stride, padding, activation: 'silu' } as const;
    const { actual, data } = allOf(nodeOf('conv2d', inputs, constants, f32(2, ...side, 4)));
    const whole = conv2dReference(
      data as unknown as Parameters<typeof conv2dReference>[0],
      { x: inputs.x.shape, weight: inputs.weight.shape },
      constants,
    );
    expectSame(actual, whole);
  });
  // Norms that the products take on: graph/norms.ts, graph/row-norms.ts.
  const normed = (data: Record<string, Float32Array>, activation: 'silu' | 'none') => ({
    ...data,
    x: groupNormApplyReference(data as Record<'x' | 'stats' | 'beta', Float32Array>, {
      activation,
    }),
  });
  test('conv2d of a normalized x', () => {
    const inputs = {
      x: f32(2, 3, 5, 8),
      stats: f32(2, 2, 8),
      beta: f32(8),
      weight: f16(3, 3, 8, 4),
    };
    const padding = { top: 1, left: 1, bottom: 1, right: 1 };
    const constants = { padding, normActivation: 'silu' } as const;
    const { actual, data } = allOf(nodeOf('conv2d', inputs, constants, f32(2, 3, 5, 4)));
    const whole = conv2dReference(
      normed(data, 'silu') as unknown as Parameters<typeof conv2dReference>[0],
      { x: inputs.x.shape, weight: inputs.weight.shape },
      { padding },
    );
    expectSame(actual, whole);
  });
  test('linear of a normalized x', () => {
    const inputs = { x: f16(2, 5, 8), stats: f32(2, 2, 8), beta: f32(8), weight: f16(8, 12) };
    const { actual, data } = allOf(nodeOf('linear', inputs, {}, f16(2, 5, 12)));
    type Data = Parameters<typeof linearReference>[0];
    expectSame(actual, linearReference(normed(data, 'none') as unknown as Data, { inner: 8 }));
  });
  test('linear of normalized rows', () => {
    const inputs = { x: f32(2, 5, 8), gamma: f32(8), columns: f32(12), weight: f16(8, 12) };
    const constants = { rowEps: 1e-5 };
    const { actual, data } = allOf(nodeOf('linear', inputs, constants, f32(2, 5, 12)));
    type Data = Parameters<typeof linearReference>[0];
    expectSame(actual, linearReference(data as Data, { inner: 8, ...constants }));
  });
  test('linear of two tensors side by side', () => {
    const inputs = { x: f32(1, 5, 8), x2: f32(1, 5, 4), weight: f16(12, 4) };
    const { actual, data } = allOf(nodeOf('linear', inputs, {}, f32(1, 5, 4)));
    const x = Float32Array.from({ length: 5 * 12 }, (_, i) => {
      const [row, k] = [Math.floor(i / 12), i % 12];
      return (k < 8 ? data['x']![row * 8 + k] : data['x2']![row * 4 + k - 8])!;
    });
    expectSame(actual, linearReference({ x, weight: data['weight']! }, { inner: 12 }));
  });
  test('upsampleConv2d', () => {
    const inputs = { x: f32(2, 3, 4, 8), weight: f32(2, 2, 2, 2, 8, 4), bias: f32(4) };
    const { actual, data } = allOf(nodeOf('upsampleConv2d', inputs, {}, f32(2, 6, 8, 4)));
    expectSame(
      actual,
      upsampleConv2dReference(
        data as unknown as Parameters<typeof upsampleConv2dReference>[0],
        { x: inputs.x.shape, weight: inputs.weight.shape },
        {},
      ),
    );
  });
  test.each([
    ['self', { q: f32(2, 5, 8), k: f32(2, 5, 8), v: f32(2, 5, 8) }, { heads: 2 }],
    ['causal', { q: f32(2, 5, 8), k: f32(2, 5, 8), v: f32(2, 5, 8) }, { heads: 2, causal: true }],
    ['one k for all', { q: f32(2, 5, 8), k: f32(1, 3, 8), v: f32(1, 3, 8) }, { heads: 1 }],
    [
      'packed',
      { q: f32(2, 5, 24), k: f32(2, 5, 24), v: f32(2, 5, 24) },
      { heads: 2, channels: 8, offsets: { q: 0, k: 8, v: 16 } },
    ],
  ])('attention, %s', (_, inputs, constants) => {
    const { actual, data } = allOf(nodeOf('attention', inputs, constants, f32(2, 5, 8)));
    const whole = attentionReference(data as Parameters<typeof attentionReference>[0], {
      ...constants,
      batch: 2,
      kvBatch: inputs.k.shape[0]!,
      queries: 5,
      keys: inputs.k.shape[1]!,
    });
    expectSame(actual, whole);
  });
});

test('noise is normal, of its type, and its own for every seed', () => {
  const noise = noiseOf(f16(1000, 100), 1, { mean: 0.25, std: 2 });
  const values = noise.slice(65_000, 20_000); // across the end of the block
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const power = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  expect(mean).toBeCloseTo(0.25, 1);
  expect(Math.sqrt(power)).toBeCloseTo(2, 1);
  expect(noiseOf(f16(10), 2).slice(0, 10)).not.toEqual(noise.slice(0, 10));
});

// --- the models' designs --------------------------------------------------------------------------

const TARGETS: readonly Target[] = [
  { family: 'cpu', shaderF16: true, subgroupSize: 8 },
  { family: 'cpu', shaderF16: false, subgroupSize: 4 },
  { family: 'alu', shaderF16: true, subgroupSize: 32 },
  withMatrix(NVIDIA),
];

test.each(TARGETS)(
  'every choice of $family, $subgroupSize lanes, can be verified',
  async (target) => {
    const model = await openModel(nodeFolder('weights/invsr-nano'));
    const capabilities = {
      family: target.family,
      shaderF16: target.shaderF16,
      limits: { maxStorageBufferBindingSize: 2 ** 30 },
    };
    const subjects = modelSubjects({ target, capabilities } as never, model);
    for (const subject of subjects) {
      const { key, candidates } = subject;
      const reference = subject.reference() as Reference;
      expect(reference, key).toBeDefined();
      const reads = Object.entries(reference.inputs).flatMap(([name, noise]) =>
        noise ? [{ name, slice: vi.spyOn(noise, 'slice') }] : [],
      );
      reference.expected(0);
      const ignored = reads.filter(({ slice }) => slice.mock.calls.length === 0);
      expect(
        ignored.map(({ name }) => name),
        key,
      ).toEqual([]);
      const texts = candidates.map((design) =>
        JSON.stringify(
          subject.plan(design, {}).dispatches.map(({ kernel: k }) => [k.wgsl, k.workgroups]),
        ),
      );
      expect(new Set(texts).size, key).toBe(candidates.length);
    }
    if (target.family === 'cpu') expect(subjects.length).toBeGreaterThan(20);
    await model.close();
  },
);

test('tune gets the code that its plans call for', async () => {
  vi.resetModules(); // test/harness/load-kernels.ts has loaded all of it
  const { tune } = await import('../../src/tune/tune-model.ts');
  const { loadDesigns, rareOps } = await import('../../src/kernels/on-demand.ts');
  const { winogradNodes } = await import('../../src/graph/algorithms.ts');
  expect(() => rareOps.get()).toThrow('not loaded');
  const [, , target] = TARGETS;
  await loadDesigns(target!); // as openContext does
  const model = await openModel(nodeFolder('weights/invsr-nano'));
  const capabilities = { ...target, limits: { maxStorageBufferBindingSize: 2 ** 30 } };
  const stop = AbortSignal.abort(new Error('enough'));
  await expect(tune({ target, capabilities } as never, model, { signal: stop })).rejects.toThrow(
    'enough',
  );
  expect(rareOps.get()).toBeDefined();
  expect(winogradNodes.get()).toBeDefined();
  await model.close();
});

// --- background -----------------------------------------------------------------------------------

test('measurements wait for a quiet moment, and are not delayed once it is quiet', async () => {
  const exclusive = createQueue();
  const lost = new AbortController().signal;
  const gate = quietGate({ exclusive, lost }, 30);
  const order: string[] = [];
  const work = (name: string) =>
    exclusive(async () => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      order.push(name);
    });
  const first = work('visible');
  await gate();
  order.push('sample');
  await first;
  let isLater = false;
  setTimeout(() => (isLater = true), 0);
  await gate();
  expect(isLater).toBe(false);
  const second = work('visible');
  await gate();
  order.push('sample');
  await second;
  expect(order).toEqual(['visible', 'sample', 'visible', 'sample']);
});

test('waiting for a quiet moment ends with its signal', async () => {
  const exclusive = createQueue();
  const controller = new AbortController();
  void exclusive(() => new Promise(() => {}));
  const gate = quietGate({ exclusive, lost: new AbortController().signal }, 6, controller.signal);
  setTimeout(() => controller.abort(), 20);
  await expect(gate()).rejects.toThrow('abort');
});
