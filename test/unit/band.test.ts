/** Which nodes are split into bands, what the windows cover, and what cannot be split. */
import { describe, expect, test } from 'vitest';
import { DeviceError } from '../../src/engine/errors.ts';
import { byteLength, type Shape } from '../../src/engine/kernel.ts';
import { atOnce } from '../../src/engine/slices.ts';
import { banding } from '../../src/graph/band.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { fuse } from '../../src/graph/fuse.ts';
import { type Graph, inputsOf, type Tensor, wholeOf } from '../../src/graph/graph.ts';
import { STAGES } from '../../src/invsr/tile-graph.ts';
import { fullSizeGraph } from '../../src/invsr/full-size.ts';

const KIB = 1024;

const band = (graph: Graph, { maxBindingBytes }: { readonly maxBindingBytes: number }): Graph =>
  atOnce(banding(graph, { maxBindingBytes, compact: true }));

function build(make: (g: GraphBuilder, input: (shape: Shape) => Tensor) => Tensor): Graph {
  const g = new GraphBuilder({ precision: 'f16' });
  let count = 0;
  const result = make(g, (shape) => g.external(`x${count++}`, { dtype: 'f16', shape }));
  g.output('result', result);
  return g.build();
}

const convolve = (g: GraphBuilder, x: Tensor, weight: Tensor): Tensor =>
  g.emit(
    'conv2d',
    'net.conv',
    { x, weight, bias: undefined, shift: undefined, residual: undefined },
    { padding: { top: 1, left: 1, bottom: 1, right: 1 } },
    { dtype: 'f16', shape: [...x.shape.slice(0, -1), weight.shape.at(-1) ?? 0] },
  );

/** 256 rows of 2 KiB. */
const image = [1, 256, 32, 32];

describe('band', () => {
  test('what fits stays as it is', () => {
    const graph = build((g, input) => convolve(g, input(image), input([3, 3, 32, 32])));
    expect(band(graph, { maxBindingBytes: 512 * KIB }).nodes).toEqual(graph.nodes);
  });

  test('a convolution reads the rows around each band, and pads at the edges alone', () => {
    const graph = build((g, input) => convolve(g, input(image), input([3, 3, 32, 32])));
    const { nodes } = band(graph, { maxBindingBytes: 256 * KIB });
    const rows = nodes.map(({ inputs, output, constants }) => {
      const { x } = inputs as { x: Tensor };
      const { padding } = constants as { padding: { top: number; bottom: number } };
      return [
        (x.window?.offset ?? 0) / (2 * KIB),
        x.shape[1],
        padding.top,
        padding.bottom,
        (output.window?.offset ?? 0) / (2 * KIB),
        output.shape[1],
      ];
    });
    expect(rows).toEqual([
      [0, 53, 1, 0, 0, 52],
      [51, 54, 0, 0, 52, 52],
      [103, 54, 0, 0, 104, 52],
      [155, 54, 0, 0, 156, 52],
      [207, 49, 0, 1, 208, 48],
    ]);
  });

  test('a strip goes through the image band by band, its inner tensors with it', () => {
    const graph = build((g, input) => {
      const a = g.activation('net.act', input(image), 'silu');
      return g.activation('net.act2', convolve(g, a, input([3, 3, 32, 32])), 'gelu');
    });
    const { nodes } = band(graph, { maxBindingBytes: 256 * KIB });
    expect(nodes.slice(0, 6).map(({ path }) => path)).toEqual([
      'net.act',
      'net.conv',
      'net.act2',
      'net.act',
      'net.conv',
      'net.act2',
    ]);
    expect(nodes[3]!.output.shape).toEqual([1, 1, 54 * 32, 32]);
    expect(byteLength(wholeOf(nodes[4]!.output))).toBe(52 * 2 * KIB);
  });

  test('a convolution of a convolution starts a strip of its own', () => {
    const graph = build((g, input) => {
      const weight = input([3, 3, 32, 32]);
      return convolve(g, convolve(g, input(image), weight), weight);
    });
    const { nodes } = band(graph, { maxBindingBytes: 256 * KIB });
    const outer = nodes.filter(
      ({ inputs }) => !graph.externals.has((inputs as { x: Tensor }).x.id),
    );
    const [first, second] = outer;
    expect(nodes.slice(-outer.length)).toEqual(outer);
    // Of its two parts, 104 rows each, the first holds the row below, too: both are written.
    const [x, next] = [first!.inputs, second!.inputs].map((inputs) => (inputs as { x: Tensor }).x);
    expect(x!.id).toBe(next!.id);
    expect(byteLength(wholeOf(x!))).toBe(105 * 2 * KIB);
  });

  test('a large tensor that is read pixel by pixel lies in parts, unless it is named', () => {
    const make = (isNamed: boolean): Graph =>
      build((g, input) => {
        const h = convolve(g, input(image), input([3, 3, 32, 32]));
        if (isNamed) g.name('kept', h);
        // Something else between the two strips.
        const constants = { timestep: 9, dim: 32, flipSinToCos: true, freqShift: 0 };
        g.name('time', g.timestepEmbedding('net.time', constants));
        return g.activation('net.act', h, 'silu');
      });
    const ids = (graph: Graph): number =>
      new Set(
        band(graph, { maxBindingBytes: 256 * KIB })
          .nodes.filter(({ op }) => op === 'conv2d')
          .map(({ output }) => output.id),
      ).size;
    expect([ids(make(true)), ids(make(false))]).toEqual([1, 3]);
  });

  test('what cannot be split is named, with its layer, its size and the limit', () => {
    const graph = build((g, input) => {
      const k = input([1, 8192, 32]);
      return g.attention('net.attention', { q: input([1, 64, 32]), k, v: k }, { heads: 1 });
    });
    const wrong = (): Graph => band(graph, { maxBindingBytes: 256 * KIB });
    expect(wrong).toThrow(DeviceError);
    expect(wrong).toThrow(
      'net.attention: k f16 [1,8192,32] does not fit maxStorageBufferBindingSize, and attention cannot split it: got 262144 bytes, needed 524288 bytes. Try a smaller tile, precision f16 or another adapter.',
    );
  });
});

describe.each(STAGES)('the full-size %s in bands', (stage) => {
  const graph = fuse(fullSizeGraph(stage, { tile: 256, precision: 'f16', batch: 2 }));
  const banded = band(graph, { maxBindingBytes: 2 ** 27 });

  test('writes every byte before it is read', () => {
    const written = new Map<number, [start: number, end: number][]>();
    for (const node of banded.nodes) {
      for (const [name, tensor] of inputsOf(node)) {
        const { id, window } = tensor;
        if (graph.weights.has(id) || graph.externals.has(id)) continue;
        const start = window?.offset ?? 0;
        const covered = (written.get(id) ?? []).reduce(
          (at, [from, to]) => (from <= at && at < to ? to : at),
          start,
        );
        expect(covered, `${node.path} ${name}`).toBeGreaterThanOrEqual(start + byteLength(tensor));
      }
      const { id, window } = node.output;
      const start = window?.offset ?? 0;
      written.set(id, [...(written.get(id) ?? []), [start, start + byteLength(node.output)]]);
    }
    expect(written.size).toBeGreaterThan(100);
  });
});
