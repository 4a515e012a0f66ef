/** Products by each of their algorithms, against the f64 references of the ops. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import { type DType, sizeOf, type Target, type TensorType } from '../../src/engine/kernel.ts';
import { algorithmOf } from '../../src/graph/algorithms.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph, Tensor } from '../../src/graph/graph.ts';
import { lower } from '../../src/graph/lower.ts';
import { type Conv2dConstants, conv2dReference } from '../../src/kernels/conv2d.ts';
import { groupNormApplyReference } from '../../src/kernels/group-norm-apply.ts';
import { linearReference } from '../../src/kernels/linear.ts';
import { upsampleConv2dReference } from '../../src/kernels/upsample-conv2d.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { roundF16 } from '../harness/half.ts';
import { normal } from '../harness/random.ts';
import { runGraph } from '../harness/run-graph.ts';
import { nmse } from '../harness/run-kernel.ts';
import { sumNmse } from './cases.ts';

type Data = Readonly<Record<string, Float32Array>>;

const KERNELS: Readonly<Record<string, readonly string[]>> = {
  split: ['gemmPartial', 'gemmReduce'],
  winograd: ['winogradWeight', 'winogradInput', 'batchedLinear', 'winogradOutput'],
};

interface Case {
  readonly graph: (dtype: DType) => Graph;
  readonly reference: (data: Data) => Float32Array;
  readonly inner: number;
}

const PADDING = { top: 1, left: 1, bottom: 1, right: 1 };

/** External inputs, by name. */
function sketch(types: Readonly<Record<string, TensorType>>) {
  const g = new GraphBuilder({ precision: 'f32' });
  const inputs = Object.fromEntries(
    Object.entries(types).map(([name, type]) => [name, g.external(name, type)]),
  );
  return { g, inputs };
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

/** With `normActivation` x is normalized as it is read. */
function convCase(x: readonly number[], channels: number, constants: Conv2dConstants): Case {
  const [n = 0, height = 0, width = 0, ci = 0] = x;
  const weight = [3, 3, ci, channels];
  const y = [n, height, width, channels];
  return {
    inner: 9 * ci,
    graph: (dtype) => {
      const { g, inputs } = sketch({
        x: { dtype, shape: x },
        ...(constants.normActivation && { stats: f32(n, 2, ci), beta: f32(ci) }),
        weight: { dtype: 'f16', shape: weight },
        bias: f32(channels),
        shift: f32(n, channels),
        residual: { dtype, shape: y },
      });
      const nodes = inputs as Record<'x' | 'weight' | 'bias' | 'shift' | 'residual', Tensor>;
      g.output('result', g.emit('conv2d', 'conv', nodes, constants, { dtype, shape: y }));
      return g.build();
    },
    reference: (data) =>
      conv2dReference(
        {
          ...(data as Record<'x' | 'weight' | 'bias' | 'shift' | 'residual', Float32Array>),
          ...(constants.normActivation && {
            x: groupNormApplyReference(data as Record<'x' | 'stats' | 'beta', Float32Array>, {
              activation: constants.normActivation,
            }),
          }),
        },
        { x, weight },
        constants,
      ),
  };
}

const CASES: Readonly<Record<string, Case & { readonly algorithms: readonly string[] }>> = {
  'conv2d of ragged sizes': {
    ...convCase([2, 9, 7, 60], 36, { padding: PADDING, activation: 'silu' }),
    algorithms: ['split2', 'split4'],
  },
  'conv2d of odd sizes': {
    ...convCase([2, 9, 7, 68], 64, { padding: PADDING, activation: 'silu' }),
    algorithms: ['winograd'],
  },
  'conv2d of a normalized image': {
    ...convCase([2, 5, 8, 36], 36, { padding: PADDING, normActivation: 'silu' }),
    algorithms: ['split2', 'winograd'],
  },
  linear: {
    algorithms: ['split4'],
    inner: 512,
    graph: (dtype) => {
      const { g, inputs } = sketch({
        x: { dtype, shape: [1, 77, 512] },
        weight: { dtype: 'f16', shape: [512, 68] },
        bias: f32(68),
        residual: { dtype, shape: [1, 77, 68] },
      });
      const nodes = inputs as Record<'x' | 'weight' | 'bias' | 'residual', Tensor>;
      const type: TensorType = { dtype, shape: [1, 77, 68] };
      g.output('result', g.emit('linear', 'linear', nodes, { activation: 'gelu' }, type));
      return g.build();
    },
    reference: (data) =>
      linearReference(data as Data & { x: Float32Array; weight: Float32Array }, {
        inner: 512,
        activation: 'gelu',
      }),
  },
  upsampleConv2d: {
    algorithms: ['split2'],
    inner: 4 * 132,
    graph: (dtype) => {
      const { g, inputs } = sketch({
        x: { dtype, shape: [1, 5, 7, 132] },
        weight: { dtype: 'f16', shape: [2, 2, 2, 2, 132, 20] },
        bias: f32(20),
      });
      const nodes = inputs as Record<'x' | 'weight' | 'bias', Tensor>;
      const type: TensorType = { dtype, shape: [1, 10, 14, 20] };
      g.output('result', g.emit('upsampleConv2d', 'up', nodes, {}, type));
      return g.build();
    },
    reference: (data) =>
      upsampleConv2dReference(
        data as Data & { x: Float32Array; weight: Float32Array },
        { x: [1, 5, 7, 132], weight: [2, 2, 2, 2, 132, 20] },
        {},
      ),
  },
};

/** The target with an algorithm for the only product of a graph. */
function targetFor(graph: Graph, target: Target, algorithm: string): Target {
  const choices = graph.nodes.flatMap((node) => algorithmOf(node, target, LIMITS) ?? []);
  const forced = choices.filter(({ candidates }) => candidates.includes(algorithm));
  expect(forced).toHaveLength(1);
  return { ...target, designs: Object.fromEntries(forced.map(({ key }) => [key, algorithm])) };
}

function dataFor(graph: Graph, inner: number): Data {
  return Object.fromEntries(
    Object.entries(lower(graph, GPU).externals).map(([name, { dtype, shape }], i) => {
      const options = name === 'weight' ? { std: 1 / Math.sqrt(inner) } : { mean: 0.25 };
      const values = normal(sizeOf(shape), i + 1, options);
      return [name, dtype === 'f16' ? roundF16(values) : values];
    }),
  );
}

const LIMITS = { maxBindingBytes: 2 ** 27 };
const GPU: Target = { family: 'alu', shaderF16: true, subgroupSize: 32 };

describe.each(adapterNames)('%s', (name) => {
  let opened: TestDevice;
  let context: EngineContext;
  beforeAll(async () => {
    opened = await openTestDevice(name);
    context = createContext(opened.device);
  });
  afterAll(() => {
    context.dispose();
    opened.device.destroy();
  });

  /** Runs twice by an algorithm, expects the same bits, and returns the error. */
  async function errorOf(
    { graph, reference, inner }: Case,
    dtype: DType,
    algorithm: string,
    change: (data: Data) => Data = (data) => data,
  ): Promise<number> {
    const built = graph(dtype);
    const target = targetFor(built, { ...opened.target, family: 'alu' }, algorithm);
    const kernels = lower(built, target).dispatches.map(({ kernel }) => kernel.name);
    if (algorithm !== 'whole') expect(kernels).toEqual(KERNELS[algorithm.replace(/\d+/, '')]);
    const data = change(dataFor(built, inner));
    const y = await runGraph(context, built, target, data);
    expect(await runGraph(context, built, target, data)).toEqual(y);
    return nmse(y, reference(data));
  }

  for (const [what, { algorithms, ...c }] of Object.entries(CASES)) {
    test.each(algorithms)(`${what} by %s`, async (algorithm) => {
      expect(await errorOf(c, 'f32', algorithm)).toBeLessThan(sumNmse(c.inner));
    });
  }

  test('in f16, Winograd rounds three times on the way', async () => {
    const c = convCase([1, 16, 15, 64], 64, { padding: PADDING });
    // As after a normalisation with SiLU; sums alone, since an epilogue would only hide errors.
    const activations = (data: Data): Data => ({
      ...Object.fromEntries(
        Object.entries(data).map(([name, v]) => [name, name === 'weight' ? v : v.map(() => 0)]),
      ),
      x: roundF16(data['x']!.map((v) => (2 * v) / (1 + Math.exp(-2 * v)))),
    });
    // Measured: 4.3e-8, one rounding to f16; 3.5e-7.
    expect(await errorOf(c, 'f16', 'whole', activations)).toBeLessThan(5e-8);
    expect(await errorOf(c, 'f16', 'winograd', activations)).toBeLessThan(5e-7);
  });
});

describe('the guess', () => {
  const chosen = (x: readonly number[], channels: number, target = GPU): string | undefined => {
    const { graph } = convCase(x, channels, { padding: PADDING });
    const [node] = graph('f16').nodes;
    return node && algorithmOf(node, target, LIMITS)?.design;
  };

  test.each([
    [[1, 8, 8, 1280], 1280, 'split16'],
    [[1, 16, 16, 1280], 1280, 'split4'],
    [[1, 32, 32, 640], 640, 'whole'], // enough workgroups
    [[1, 8, 8, 320], 1280, 'whole'], // little to add up
    [[1, 16, 16, 512], 1024, 'split4'],
  ])('%j to %i channels: %s', (x, channels, design) => {
    expect(chosen(x, channels)).toBe(design);
  });

  test("Winograd's algorithm is a candidate for 3x3 convolutions whose points can be bound", () => {
    const [node] = convCase([1, 64, 64, 512], 512, { padding: PADDING }).graph('f16').nodes;
    const candidates = (maxBindingBytes: number) =>
      algorithmOf(node!, GPU, { maxBindingBytes })?.candidates;
    const bytes = 16 * 32 * 32 * 512 * 2;
    expect(candidates(bytes)).toContain('winograd');
    expect(candidates(bytes - 1)).not.toContain('winograd');
  });

  test('parts are candidates where all of them together can be bound', () => {
    const [node] = convCase([1, 16, 16, 1280], 1280, { padding: PADDING }).graph('f16').nodes;
    const choiceOf = (maxBindingBytes: number) => algorithmOf(node!, GPU, { maxBindingBytes });
    const bytes = 4 * 16 * 16 * 1280 * 4; // of four parts
    expect(choiceOf(bytes)).toMatchObject({ design: 'split4' });
    expect(choiceOf(bytes - 1)).toMatchObject({ design: 'whole' });
    expect(choiceOf(bytes - 1)?.candidates).toContain('split2');
    expect(choiceOf(bytes - 1)?.candidates).not.toContain('split4');
  });

  test('transformed weights are made once, when the plan is prepared', () => {
    const g = new GraphBuilder({ precision: 'f16' });
    const w = g.checkpoint('net', new Map([['weight', { shape: [64, 64, 3, 3] }]]));
    const x = g.external('x', { dtype: 'f16', shape: [1, 8, 8, 64] });
    g.output('result', g.conv2d(g.conv2d(x, w), w)); // one weight, two nodes
    const graph = g.build();
    const choice = algorithmOf(graph.nodes[0]!, GPU, LIMITS)!;
    const { prepare, dispatches } = lower(graph, {
      ...GPU,
      designs: { [choice.key]: 'winograd' },
    });
    const names = ['winogradInput', 'batchedLinear', 'winogradOutput'];
    expect(prepare.map(({ kernel }) => kernel.name)).toEqual(['winogradWeight']);
    expect(dispatches.map(({ kernel }) => kernel.name)).toEqual([...names, ...names]);
  });

  test('software adapters compute products whole', () => {
    expect(chosen([1, 8, 8, 1280], 1280, { ...GPU, family: 'cpu' })).toBeUndefined();
  });
});
