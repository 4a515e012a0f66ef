/** Which weights lie in blocks of one matrix, and what reads them then. */
import { describe, expect, test } from 'vitest';
import { stepsOf } from '../../bench/steps.ts';
import {
  byteLength,
  type Designs,
  ShapeError,
  type Target,
  type TensorType,
} from '../../src/engine/kernel.ts';
import type { Plan } from '../../src/engine/plan.ts';
import { weightId } from '../../src/engine/weight-store.ts';
import { algorithmOf } from '../../src/graph/algorithms.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph, Tensor } from '../../src/graph/graph.ts';
import { lower } from '../../src/graph/lower.ts';
import type { RewriteOptions } from '../../src/graph/passes.ts';
import type { Weights } from '../../src/graph/weights.ts';
import { fullSizeGraph } from '../../src/invsr/full-size.ts';
import { STAGES } from '../../src/invsr/tile-graph.ts';
import { conv2d } from '../../src/kernels/conv2d.ts';
import { linear } from '../../src/kernels/linear.ts';
import { packWeightReference } from '../../src/kernels/pack-weight.ts';
import { subjectsOf } from '../../src/tune/subjects.ts';
import { packBlocks } from '../../src/weights/blocks.ts';
import { NVIDIA, withMatrix } from '../harness/matrices.ts';

const GPU = withMatrix(NVIDIA);
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

const SHAPES = new Map(
  Object.entries({
    'conv.weight': [64, 64, 3, 3],
    'conv.bias': [64],
    'up.weight': [64, 64, 3, 3],
    'gate.weight': [128, 64],
    'gate.bias': [128],
    'proj.weight': [64, 64],
    'odd.weight': [20, 64],
  }).map(([name, shape]) => [name, { shape }] as const),
);

function build(make: (g: GraphBuilder, w: Weights, x: Tensor) => void): Graph {
  const g = new GraphBuilder({ precision: 'f16' });
  make(g, g.checkpoint('net', SHAPES), g.external('x', f16(1, 32, 32, 64)));
  return g.build();
}

/** With the last `direct` design of every product. */
function inDirect(graph: Graph, designs: Designs = {}, options: RewriteOptions = {}): Target {
  const { dispatches } = lower(graph, { ...GPU, designs }, options);
  const chosen = dispatches.flatMap(({ kernel: { choice } }) => {
    const design = choice?.candidates.findLast((name) => name.endsWith(' direct'));
    return choice && design !== undefined ? [[choice.key, design] as const] : [];
  });
  return { ...GPU, designs: { ...designs, ...Object.fromEntries(chosen) } };
}

/** The checkpoint's name of each weight that lies in blocks. */
const packedIn = ({ weights }: Plan): string[] =>
  weights.filter(({ blocks }) => blocks).map(({ key }) => key);

describe('products that load weights straight into matrices', () => {
  const graph = build((g, w, x) => {
    const h = g.conv2d(x, w.at('conv'));
    const up = g.conv2d(g.upsampleNearest('up', h, 64, 64), w.at('up'));
    const gated = g.geglu('gate', g.linear(up, w.at('gate')));
    g.output('result', g.linear(gated, w.at('proj')));
    g.output('odd', g.linear(x, w.at('odd')));
  });

  test('have them in blocks, whatever they are made of; others and vectors lie in rows', () => {
    const target = inDirect(graph);
    const before = lower(graph, GPU);
    const plan = lower(graph, target);
    expect(packedIn(before)).toEqual([]);
    const packed = ['conv', 'gate', 'proj', 'up'].map((name) => `net/${name}.weight`);
    expect(packedIn(plan).toSorted()).toEqual(packed);
    expect(plan.weights.map(({ type }) => type)).toEqual(before.weights.map(({ type }) => type));
    const variants = plan.dispatches.map(({ kernel }) => kernel.variant);
    for (const shape of ['[3,3,4,4,16,16]', '[2,2,2,2,4,4,16,16]', '[4,8,16,16]', '[4,4,16,16]']) {
      expect(variants.some((variant) => variant.includes(`· f16 ${shape} →`))).toBe(true);
    }
  });

  test('keep the design that they were packed for', () => {
    const target = inDirect(graph);
    const choices = lower(graph, target).dispatches.flatMap(({ kernel }) => kernel.choice ?? []);
    for (const { key, design } of choices) expect(design).toBe(target.designs?.[key] ?? design);
    expect(choices.filter(({ design }) => design.endsWith(' direct'))).toHaveLength(4);
  });

  test('in blocks a weight is another buffer', () => {
    const [packed] = lower(graph, inDirect(graph)).weights.filter(({ blocks }) => blocks);
    const { blocks: _, ...plain } = packed!;
    expect(weightId(packed!)).not.toBe(weightId(plain));
  });
});

test('of InvSR-1, nearly all weights: nothing loads matrices out of rows', () => {
  const options = { precision: 'f16', tile: 128, timesteps: [200] } as const;
  const stages = STAGES.map((stage) => fullSizeGraph(stage, options));
  const chosen = { compact: false, keep: () => false };
  const designs = Object.assign({}, ...stages.map((graph) => inDirect(graph, {}, chosen).designs));
  const plans = stages.map((graph) => lower(graph, { ...GPU, designs }, chosen));
  const direct = plans
    .flatMap(({ dispatches }) => dispatches)
    .filter(({ kernel: { choice } }) => choice?.design.endsWith(' direct'));
  expect(direct.length).toBeGreaterThan(200);
  expect(direct.filter(({ kernel }) => !kernel.variant.includes(',16,16] →'))).toEqual([]);
  const weights = plans.flatMap((plan) => plan.weights);
  const bytesOf = (some: typeof weights): number =>
    some.reduce((sum, { type }) => sum + byteLength(type), 0);
  expect(bytesOf(weights.filter(({ blocks }) => blocks)) / bytesOf(weights)).toBeGreaterThan(0.88);
});

test('one other reader keeps a weight in rows', () => {
  const graph = build((g, w, x) => {
    g.output('result', g.linear(x, w.at('proj')));
    const few = g.external('few', f16(1, 20, 64));
    g.output('other', g.linear(few, w.at('proj')));
  });
  const { designs = {} } = inDirect(graph);
  expect(Object.keys(designs)).toHaveLength(2);
  expect(packedIn(lower(graph, { ...GPU, designs }))).toEqual(['net/proj.weight']);
  const [key = ''] = Object.keys(designs);
  const others = { ...designs, [key]: 'matrix64x64' };
  expect(packedIn(lower(graph, { ...GPU, designs: others }))).toEqual([]);
});

test('what a plan computes is packed when that is done, once', () => {
  const graph = build((g, w, x) => {
    const h = g.conv2d(x, w.at('conv'));
    g.output('result', g.conv2d(h, w.at('conv')));
  });
  const [{ key } = { key: '' }] = graph.nodes.flatMap((node) => algorithmOf(node, GPU) ?? []);
  const plan = lower(graph, inDirect(graph, { [key]: 'winograd' }));
  expect(packedIn(plan)).toEqual([]);
  expect(plan.prepare.map(({ kernel }) => kernel.name)).toEqual(['winogradWeight', 'packWeight']);
  const products = plan.dispatches.filter(({ kernel }) => kernel.name === 'batchedLinear');
  expect(products.map(({ inputs }) => inputs['weight'])).toEqual([
    plan.prepare[1]!.output,
    plan.prepare[1]!.output,
  ]);
});

test('tuning packs a weight before it times its designs', () => {
  const graph = build((g, w, x) => g.output('result', g.linear(x, w.at('proj'))));
  const limits = { maxStorageBufferBindingSize: 2 ** 27 };
  const capabilities = { limits } as Parameters<typeof subjectsOf>[1]['capabilities'];
  const [subject] = subjectsOf([graph], { target: GPU, capabilities });
  const kernelsOf = (design: string): string[][] => {
    const { prepare, dispatches } = subject!.plan(design, {});
    return [prepare, dispatches].map((all) => all.map(({ kernel }) => kernel.name));
  };
  expect(kernelsOf('matrix64x64')).toEqual([[], ['linear']]);
  expect(kernelsOf('matrix64x64 direct')).toEqual([['packWeight'], ['linear']]);
  const reference = subject!.reference();
  expect(reference?.inputs['weight']?.type).toMatchObject(f16(64, 64));
});

test('the bench packs a weight before it times', () => {
  const inputs = { x: f16(1, 256, 64), weight: f16(64, 64) };
  const work = { op: 'linear', inputs, constants: {}, output: f16(1, 256, 64) };
  const { key = '' } = linear(inputs, {}, GPU).choice ?? {};
  const steps = stepsOf(work, { ...GPU, designs: { [key]: 'matrix64x64 direct' } });
  expect(steps.map(({ kernel, isPrepared }) => [kernel.name, isPrepared])).toEqual([
    ['packWeight', true],
    ['linear', undefined],
  ]);
  expect(steps[1]?.inputs).toEqual({ x: 'x', weight: steps[0]?.output });
  expect(steps[1]?.output).toBe('output');
});

describe('the bytes', () => {
  test.each([
    [16, 16, 48, 80],
    [8, 8, 16, 24],
  ])('in blocks of %i x %i', (k, n, rows, columns) => {
    const words = Uint16Array.from({ length: 2 * rows * columns }, (_, i) => i);
    const packed = new Uint16Array(
      packBlocks(new Uint8Array(words.buffer), columns, { k, n }).buffer,
    );
    expect([...packed]).toEqual([
      ...packWeightReference({ weight: Float32Array.from(words) }, columns, { k, n }),
    ]);
    // The definition: element (row, column) lies in its block, by rows.
    for (const [row, column] of [
      [0, 0],
      [k - 1, n],
      [rows + k + 1, columns - 1],
    ] as const) {
      const block = Math.floor(row / k) * (columns / n) + Math.floor(column / n);
      const at = (block * k + (row % k)) * n + (column % n);
      expect(packed[at]).toBe(row * columns + column);
    }
  });
});

describe('refused in a sentence:', () => {
  const x = f16(1, 64, 64);
  const weight = f16(4, 4, 16, 16);
  test.each<readonly [string, Target]>([
    ['a target without subgroup matrices', { ...GPU, matrix: undefined } as unknown as Target],
    ['matrices of another shape', { ...GPU, matrix: { ...NVIDIA, n: 8, k: 8 } }],
    ['a software adapter', { family: 'cpu', shaderF16: true, subgroupSize: 8 }],
  ])('%s', (_, target) => {
    const make = () => linear({ x, weight }, {}, target);
    expect(make).toThrow(ShapeError);
    expect(make).toThrow(
      'weight is f16 [4,4,16,16], in blocks of 16 x 16 that no design for this product and target reads',
    );
  });
  test('x in f32', () => {
    const image: TensorType = { dtype: 'f32', shape: [1, 16, 16, 64] };
    expect(() => conv2d({ x: image, weight: f16(3, 3, 4, 4, 16, 16) }, {}, GPU)).toThrow('blocks');
  });
});
