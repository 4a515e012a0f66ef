/** Builder, fusion and lowering on small graphs. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { WeightError, type Weights } from '../../src/graph/weights.ts';
import { fuse } from '../../src/graph/fuse.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { lower } from '../../src/graph/lower.ts';

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;

const SHAPES = new Map(
  Object.entries({
    'conv.weight': [8, 4, 3, 3],
    'conv.bias': [8],
    'up.weight': [8, 8, 3, 3],
    'up.bias': [8],
    'proj.weight': [12, 8],
    'norm.weight': [8],
    'norm.bias': [8],
    'rgb.weight': [3, 8, 3, 3],
  }).map(([name, shape]) => [name, { shape }] as const),
);

function build(make: (g: GraphBuilder, w: Weights) => void): Graph {
  const g = new GraphBuilder({ precision: 'f16' });
  make(g, g.checkpoint('net', SHAPES));
  return g.build();
}

const image = (g: GraphBuilder, size = 8) =>
  g.external('x', { dtype: 'f16', shape: [1, size, size, 4] });
const ops = (graph: Graph): string[] => graph.nodes.map((node) => node.op);

describe('builder', () => {
  test('pads channels to four', () => {
    build((g, w) => {
      const h = g.conv2d(image(g), w.at('conv'));
      expect(h.shape).toEqual([1, 8, 8, 8]);
      expect(g.conv2d(h, w.at('rgb')).shape).toEqual([1, 8, 8, 4]);
    });
  });

  test('gives equal nodes one output', () => {
    const graph = build((g, w) => {
      const a = g.conv2d(image(g), w.at('conv'));
      const x = g.external('y', { dtype: 'f16', shape: [1, 8, 8, 4] });
      expect(g.conv2d(x, w.at('conv'))).not.toBe(a);
      expect(g.conv2d(x, w.at('conv'))).toBe(g.conv2d(x, w.at('conv')));
    });
    expect(ops(graph)).toEqual(['conv2d', 'conv2d']);
    expect(graph.weights.size).toBe(2);
  });

  test('names the tensor that a checkpoint lacks', () => {
    expect(() => build((g, w) => g.conv2d(image(g), w.at('nothing')))).toThrow(
      /net: the checkpoint has no tensor "nothing.weight"/,
    );
  });

  test('names a weight of the wrong shape', () => {
    const wrong = () => build((g, w) => g.linear(image(g), w.at('proj')));
    expect(wrong).toThrow(WeightError);
    expect(wrong).toThrow('net.proj.weight is [12,8], expected [*,4] for an input f16 [1,8,8,4]');
  });

  test('refuses groups that do not divide the channels', () => {
    const wrong = () =>
      build((g, w) =>
        g.groupNorm(g.conv2d(image(g), w.at('conv')), w.at('norm'), { groups: 3, eps: 1e-6 }),
      );
    expect(wrong).toThrow('net.norm: 8 channels do not divide into 3 groups');
  });
});

describe('fuse', () => {
  const upsampled = (size: number) =>
    build((g, w) => {
      const h = g.conv2d(image(g), w.at('conv'));
      g.output('result', g.conv2d(g.upsampleNearest('up', h, size, size), w.at('up')));
    });

  test('doubling and convolving becomes upsampleConv2d with f16 phase weights', () => {
    const graph = fuse(upsampled(16));
    expect(ops(graph)).toEqual(['conv2d', 'upsampleConv2d']);
    const layouts = [...graph.weights.values()].map(
      ({ layout, type }) => `${layout} ${type.dtype}`,
    );
    expect(layouts).toContain('phase f16');
    expect(layouts.filter((layout) => layout.startsWith('conv'))).toHaveLength(1);
  });

  test('another factor stays as it is', () => {
    expect(ops(fuse(upsampled(15)))).toEqual(['conv2d', 'upsampleNearest', 'conv2d']);
  });

  test('an activation goes into its producer, unless somebody else reads that', () => {
    const once = build((g, w) => {
      const h = g.conv2d(image(g), w.at('conv'));
      g.output('result', g.activation('act', h, 'silu'));
    });
    expect(ops(fuse(once))).toEqual(['conv2d']);
    expect(fuse(once).nodes[0]!.constants).toMatchObject({ activation: 'silu' });

    const twice = build((g, w) => {
      const h = g.conv2d(image(g), w.at('conv'));
      g.output('result', g.activation('act', h, 'silu'));
      g.name('kept', h);
    });
    expect(ops(fuse(twice))).toEqual(['conv2d', 'activation']);
  });

  test('drops what nobody reads', () => {
    const graph = fuse(
      build((g, w) => {
        g.output('result', g.conv2d(image(g), w.at('conv')));
        g.conv2d(g.external('y', { dtype: 'f16', shape: [1, 8, 8, 8] }), w.at('rgb'));
      }),
    );
    expect(ops(graph)).toEqual(['conv2d']);
    expect(graph.weights.size).toBe(2);
  });
});

describe('lower', () => {
  test('what depends on weights alone runs once', () => {
    const plan = lower(
      build((g, w) => {
        const constant = g.linear(
          g.timestepEmbedding('time', { timestep: 9, dim: 8, flipSinToCos: true, freqShift: 0 }),
          w.at('proj'),
          { dtype: 'f32' },
        );
        const h = g.linear(g.conv2d(image(g), w.at('conv')), w.at('proj'), { dtype: 'f32' });
        g.output('result', g.affine('sum', { a: h }, { alpha: 2 }));
        g.name('folded', constant);
      }),
      target,
    );
    expect(plan.prepare.map((d) => d.kernel.name)).toEqual(['timestepEmbedding', 'linear']);
    expect(plan.dispatches.map((d) => d.kernel.name)).toEqual(['conv2d', 'linear', 'affine']);
    expect(plan.externals).toEqual({
      x: { dtype: 'f16', shape: [1, 8, 8, 4] },
      result: { dtype: 'f32', shape: [1, 8, 8, 12] },
    });
    const { location } = plan.named['folded']!;
    expect(location.kind === 'slot' && plan.slots[location.index]!.persistent).toBe(true);
  });

  test('a kernel that refuses names its layer', () => {
    const graph = build((g) => {
      const x = g.external('x', { dtype: 'f32', shape: [1, 3] });
      g.output('result', g.affine('net.odd', { a: x }, { alpha: 1 }));
    });
    expect(() => lower(graph, target)).toThrow(/^net\.odd: a is f32 \[1,3\]/);
  });

  test.each([
    ['f16', [1, 4]],
    ['f32', [2, 4]],
  ] as const)(
    'a node whose output is %s %j where the kernel gives another is refused',
    (dtype, shape) => {
      const graph = build((g) => {
        const a = g.external('x', { dtype: 'f32', shape: [1, 4] });
        const inputs = { a, b: undefined };
        g.output('result', g.emit('affine', 'net.odd', inputs, { alpha: 1 }, { dtype, shape }));
      });
      expect(() => lower(graph, target)).toThrow(
        `net.odd: its output is ${dtype} [${shape.join()}], the kernel gives f32 [1,4]`,
      );
    },
  );
});
