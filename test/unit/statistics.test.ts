/** Which group norms take their statistics from products, and what that leaves alone. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph, Node, Tensor } from '../../src/graph/graph.ts';
import { atOnce } from '../../src/engine/slices.ts';
import { lower } from '../../src/graph/lower.ts';
import { type RewriteOptions, rewriting } from '../../src/graph/passes.ts';
import type { Weights } from '../../src/graph/weights.ts';
import type { Target } from '../../src/engine/kernel.ts';

const GPU: Target = { family: 'alu', shaderF16: true, subgroupSize: 32 };

/** A stem, then convolutions of 64 channels with norms of 8 in front. */
const SHAPES = new Map(
  Object.entries({
    'stem.weight': [64, 4, 3, 3],
    'conv.weight': [64, 64, 3, 3],
    'conv.bias': [64],
    'wide.weight': [64, 128, 3, 3],
    'wide.bias': [64],
    'norm.weight': [64],
    'norm.bias': [64],
    'joint.weight': [128],
    'joint.bias': [128],
    'up.weight': [256, 64],
    'down.weight': [64, 256],
    'down.bias': [64],
    'out.weight': [64, 64],
    'out.bias': [64],
  }).map(([name, shape]) => [name, { shape }] as const),
);
const NORM = { groups: 8, eps: 1e-6, activation: 'silu' } as const;

interface Site {
  readonly g: GraphBuilder;
  readonly w: Weights;
  /** A product's output, [N, size, size, 64]. */
  readonly x: Tensor;
}

function build(make: (site: Site) => Tensor, size = 8, batch = 1): Graph {
  const g = new GraphBuilder({ precision: 'f16' });
  const w = g.checkpoint('net', SHAPES);
  const image = g.external('image', { dtype: 'f16', shape: [batch, size, size, 4] });
  g.output('result', make({ g, w, x: g.conv2d(image, w.at('stem')) }));
  return g.build();
}

const nodesOf = (graph: Graph, options: RewriteOptions = {}, target = GPU): readonly Node[] =>
  atOnce(rewriting(graph, target, { compact: false, ...options })).nodes;
const ops = (nodes: readonly Node[]): string[] => nodes.map(({ op }) => op);

/** norm → conv, the usual pair. */
const pair = ({ g, w, x }: Site): Tensor =>
  g.conv2d(g.groupNorm(x, w.at('norm'), NORM), w.at('conv'));

describe('a norm between two products', () => {
  test("is no node: its statistics are the first one's, its work the second one's", () => {
    const [stem, conv] = nodesOf(build(pair, 8, 2));
    expect(stem?.op).toBe('conv2d');
    // 64 pixels are one tile; a group of 8 channels is one run.
    expect(stem?.moments?.shape).toEqual([2, 1, 3, 8]);
    expect(conv?.inputs).toMatchObject({ x: { id: stem?.output.id }, moments: stem?.moments });
    expect(conv?.constants).toMatchObject({
      normGroups: 8,
      normEps: 1e-6,
      normActivation: 'silu',
    });
  });

  test('reads gamma and beta as one weight, which the checkpoint has as two', () => {
    const plan = lower(build(pair), GPU, { compact: false });
    expect(plan.weights.map(({ key }) => key)).toEqual([
      'net/stem.weight',
      'net/conv.weight',
      'net/conv.bias',
      'net/norm.weight + net/norm.bias',
    ]);
  });

  test('gives the moments a slot of their own while they live', () => {
    const { dispatches, slots } = lower(build(pair), GPU, { compact: false });
    const [stem, conv] = dispatches;
    expect(stem?.moments).toEqual(conv?.inputs['moments']);
    expect(stem?.moments).not.toEqual(stem?.output);
    expect(slots).toHaveLength(2);
  });

  test('is left alone on software adapters', () => {
    const target = { family: 'cpu', shaderF16: true, subgroupSize: 8 } as const;
    const { dispatches } = lower(build(pair), target, { compact: false });
    expect(dispatches.map(({ kernel }) => kernel.name)).toContain('groupNormPartial');
    expect(dispatches.every(({ moments }) => moments === undefined)).toBe(true);
  });

  test('has its node where what it makes has a name', () => {
    const graph = build(({ g, w, x }) => {
      const normed = g.groupNorm(x, w.at('norm'), NORM);
      g.name('normed', normed);
      return g.conv2d(normed, w.at('conv'));
    });
    expect(ops(nodesOf(graph))).toEqual(['conv2d', 'groupNorm', 'conv2d']);
    expect(ops(nodesOf(graph, { keep: () => false }))).toEqual(['conv2d', 'conv2d']);
  });

  test('has its node where it has two readers', () => {
    const graph = build(({ g, w, x }) => {
      const normed = g.groupNorm(x, w.at('norm'), NORM);
      return g.conv2d(normed, w.at('conv'), { residual: normed });
    });
    expect(ops(nodesOf(graph))).toEqual(['conv2d', 'groupNorm', 'conv2d']);
  });

  test('has its node where no product makes what it reads', () => {
    const graph = build(({ g, w, x }) =>
      pair({ g, w, x: g.affine('scaled', { a: x }, { alpha: 2 }) }),
    );
    expect(ops(nodesOf(graph))).toEqual(['conv2d', 'affine', 'groupNorm', 'conv2d']);
  });
});

test('norms of one tensor share its moments, in runs that fit all of them', () => {
  const nodes = nodesOf(
    build((site) => {
      const { g, w, x } = site;
      const other = g.groupNorm(x, w.at('norm'), { ...NORM, groups: 16 });
      return g.conv2d(other, w.at('conv'), { residual: pair(site) });
    }),
  );
  expect(ops(nodes)).toEqual(['conv2d', 'conv2d', 'conv2d']);
  expect(nodes[0]?.moments?.shape).toEqual([1, 1, 3, 16]);
});

test('moments too many for every workgroup of a reader are merged once', () => {
  const nodes = nodesOf(build(pair, 512));
  expect(ops(nodes)).toEqual(['conv2d', 'groupNormFinalize', 'conv2d']);
  expect(nodes[1]?.inputs).toMatchObject({ partial: nodes[0]?.moments });
});

test('tensors in bands keep their norms', () => {
  const nodes = nodesOf(build(pair, 1024), { compact: true });
  expect(ops(nodes)).toContain('groupNormPartial');
  expect(nodes.every(({ moments }) => moments === undefined)).toBe(true);
});

test('a product in parts makes the moments with its sum', () => {
  const designs = { 'algorithm gemm f16 f16 3x3 m64 n64 k1024': 'split4' };
  const graph = build((site) => pair({ ...site, x: pair(site) }));
  const nodes = nodesOf(graph, {}, { ...GPU, designs });
  expect(ops(nodes)).toEqual(['conv2d', 'gemmPartial', 'gemmReduce', 'gemmPartial', 'gemmReduce']);
  // Tiles of 16 pixels.
  expect(nodes[2]?.moments?.shape).toEqual([1, 4, 3, 8]);
  expect(nodes[3]?.inputs).toMatchObject({ moments: nodes[2]?.moments });
});

test('two tensors side by side are normalized by a product in parts, which has room for their bindings', () => {
  const joint = ({ g, w, x }: Site): Tensor => {
    const both = g.concatChannels('both', x, pair({ g, w, x }));
    return g.conv2d(g.groupNorm(both, w.at('joint'), NORM), w.at('wide'), { residual: x });
  };
  const whole = nodesOf(build(joint));
  expect(ops(whole)).toEqual(['conv2d', 'conv2d', 'groupNorm', 'conv2d']);
  const designs = { 'algorithm gemm f16 f16 3x3 m64 n64 k2048': 'split4' };
  const nodes = nodesOf(build(joint), {}, { ...GPU, designs });
  expect(ops(nodes)).toEqual(['conv2d', 'conv2d', 'gemmPartial', 'gemmReduce']);
  expect(nodes[2]?.inputs).toMatchObject({
    x: { id: nodes[0]?.output.id },
    x2: { id: nodes[1]?.output.id },
    moments: nodes[0]?.moments,
    moments2: nodes[1]?.moments,
  });
});

describe('two products one after another', () => {
  const chain = ({ g, w, x }: Site): Tensor => {
    const rows = g.reshape(x, [1, 64, 64]);
    const wide = g.activation('act', g.linear(rows, w.at('up')), 'silu');
    const sum = g.linear(wide, w.at('down'), { residual: rows });
    g.name('sum', sum);
    return g.linear(sum, w.at('out'), { residual: rows });
  };

  test('are one, whose weights are multiplied once', () => {
    const plan = lower(build(chain), GPU, { compact: false, keep: () => false });
    expect(plan.prepare.map(({ kernel }) => kernel.name)).toEqual(['linear', 'concat', 'linear']);
    expect(plan.dispatches.map(({ path }) => path)).toEqual([
      'net.stem',
      'net.up',
      'net.down + out',
    ]);
  });

  test('of three in a row the first two are', () => {
    const row = ({ g, w, x }: Site): Tensor => {
      const rows = g.reshape(x, [1, 64, 64]);
      const first = g.linear(rows, w.at('out'), { residual: rows });
      const second = g.linear(first, w.at('out'), { residual: rows });
      return g.linear(second, w.at('out'), { residual: rows });
    };
    const plan = lower(build(row), GPU, { compact: false, keep: () => false });
    expect(plan.dispatches.map(({ path }) => path)).toEqual([
      'net.stem',
      'net.out + out',
      'net.out',
    ]);
  });

  test('stay two where the first one has a name, or memory matters more', () => {
    for (const options of [{ compact: false }, { compact: true, keep: () => false }]) {
      expect(lower(build(chain), GPU, options).prepare).toEqual([]);
    }
  });
});
