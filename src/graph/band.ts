/**
 * Splits nodes over large tensors into bands: Graph → Graph with the same result, bit for bit, since
 * every output pixel is the same sum in the same order.
 *
 *   node(x) → y     becomes, for each band,     node(window of x) → window of y
 *
 * A window is a range of a tensor's bytes, bound with an offset: no copies. That serves two ends.
 * No dispatch binds more than the device allows, and with `compact` less memory is alive at a time: of
 * what only one strip reads (strips.ts) one band exists, and other large tensors lie in parts, each
 * with a buffer of its own that is free after its last use.
 */
import { DeviceError } from '../engine/errors.ts';
import { byteLength, format } from '../engine/kernel.ts';
import type { Work } from '../engine/slices.ts';
import { type Graph, inputsOf, newIds, type Node, type Tensor } from './graph.ts';
import { type BandOptions, limitsOf } from './limits.ts';
import { type Part, partsOf } from './parts.ts';
import {
  accessOf,
  alignmentOf,
  bandConstants,
  bandedTensors,
  type Convolution,
  hull,
  isConvolution,
  rowsOver,
  rowsRead,
  type Span,
} from './spans.ts';
import { type Band, isLocal, type Strip, stripsOf } from './strips.ts';
import { type Uses, usesOf } from './uses.ts';
import { chunksOf, imageAt, type Piece, windowOf } from './windows.ts';

/** In steps of a few milliseconds, as `inSlices` takes them. */
export function* banding(graph: Graph, options: BandOptions): Work<Graph> {
  const uses = usesOf(graph);
  const limits = limitsOf(graph, options);
  const strips = stripsOf(graph, uses, limits);
  yield;
  const writer = new BandWriter(graph, uses, partsOf(strips, uses, limits));
  for (const strip of strips) {
    yield;
    writer.write(strip);
  }
  yield;
  const banded = { ...graph, nodes: writer.nodes };
  expectBindings(banded, options.maxBindingBytes);
  return banded;
}

class BandWriter {
  readonly nodes: Node[] = [];
  readonly #uses: Uses;
  readonly #parts: ReadonlyMap<number, readonly Piece[]>;
  readonly #nextId: () => number;

  constructor(graph: Graph, uses: Uses, parts: ReadonlyMap<number, readonly Part[]>) {
    this.#uses = uses;
    this.#nextId = newIds(graph);
    this.#parts = new Map(
      [...parts].map(([id, list]) => {
        const output = uses.producers.get(id)?.output;
        return [id, output ? list.map((part) => this.#piece(output, part)) : []];
      }),
    );
  }

  /** A tensor of its own for a part of `like`. */
  #piece(like: Tensor, part: Part): Piece {
    const pixels = part.stored.end - part.stored.start;
    const shape = [1, 1, pixels, like.shape.at(-1) ?? 0];
    return { ...part, tensor: { id: this.#nextId(), dtype: like.dtype, shape } };
  }

  write({ nodes, bands }: Strip): void {
    const [first] = nodes;
    const parts = first?.op === 'groupNormPartial' && this.#parts.get(first.inputs.x.id);
    if (parts) for (const part of parts) this.#writeBand(nodes, part);
    else if (bands.length === 0) this.nodes.push(...nodes);
    else for (const each of bands) this.#writeBand(nodes, each);
  }

  #writeBand(strip: readonly Node[], each: Band): void {
    const spans = this.#spansOf(strip, each);
    const local = new Map<number, Piece>();
    for (const node of strip) {
      const { id } = node.output;
      const span = spans.get(node) ?? each;
      if (isLocal(node, strip, this.#uses)) {
        local.set(id, this.#piece(node.output, { ...each, stored: span }));
      }
      const written = local.get(id) ?? this.#partOf(id, each);
      for (const cut of this.#cut(node, { ...span, image: each.image }, local)) {
        this.nodes.push(this.#bandOf(node, { image: each.image, ...cut }, strip, local, written));
      }
    }
  }

  /**
   * What each node has to compute of a band: what others in the strip read of it, and of a tensor in
   * parts all that a part holds, of which the first and the last band make the rows around it.
   */
  #spansOf(strip: readonly Node[], each: Band): Map<Node, Span> {
    const spans = new Map<Node, Span>();
    for (const node of strip.toReversed()) {
      const part = this.#partOf(node.output.id, each);
      const needed = spans.get(node);
      const span: Span = part
        ? {
            start: each.start === part.start ? part.stored.start : each.start,
            end: each.end === part.end ? part.stored.end : each.end,
          }
        : needed && isLocal(node, strip, this.#uses)
          ? needed
          : each;
      spans.set(node, span);
      for (const producer of strip) {
        for (const [name, { id }] of inputsOf(node)) {
          if (id !== producer.output.id) continue;
          const isAround = isConvolution(node) && accessOf(node, name) === 'rows';
          const read = isAround ? this.#rowsOf(node, span, producer) : span;
          spans.set(producer, hull([spans.get(producer) ?? read, read]));
        }
      }
    }
    return spans;
  }

  /** The part that a band lies in. */
  #partOf(id: number, { image, start }: Band): Piece | undefined {
    return this.#parts
      .get(id)
      ?.find((part) => part.image === image && part.start <= start && start < part.end);
  }

  #rowsOf(node: Convolution, span: Span, producer: Node | undefined): Span {
    const tensors = [node.inputs.x, ...(producer ? bandedTensors(producer) : [])];
    return rowsRead(node, span, alignmentOf(tensors));
  }

  /** A span cut where a part of an input ends: rows around a band lie in the neighbours' parts. */
  #cut(node: Node, { image, start, end }: Band, local: ReadonlyMap<number, Piece>): Span[] {
    const ends = inputsOf(node).flatMap(([name, { id }]) => {
      const parts = local.has(id) ? [] : (this.#parts.get(id) ?? []);
      const mine = parts.filter((part) => part.image === image);
      const isAround = isConvolution(node) && accessOf(node, name) === 'rows';
      return mine.map((part) => (isAround ? rowsOver(node, part).end : part.end));
    });
    const inside = ends.filter((at) => at > start && at < end).toSorted((a, b) => a - b);
    const cuts = [start, ...new Set(inside), end];
    return cuts.slice(1).map((at, i) => ({ start: cuts[i] ?? start, end: at }));
  }

  /** The node for a part of its output, which is written into a piece if it has any. */
  #bandOf(
    node: Node,
    part: Band,
    strip: readonly Node[],
    local: ReadonlyMap<number, Piece>,
    written: Piece | undefined,
  ): Node {
    const keepsRows = isConvolution(node);
    const producer = keepsRows && strip.find(({ output }) => output.id === node.inputs.x.id);
    const read = keepsRows ? this.#rowsOf(node, part, producer || undefined) : undefined;
    const place = (tensor: Tensor, span: Span): Tensor => {
      const wanted = { ...span, image: part.image };
      const pieces = local.get(tensor.id) ?? this.#parts.get(tensor.id) ?? [];
      return windowOf(tensor, wanted, [pieces].flat(), keepsRows);
    };
    const inputs = inputsOf(node).map(([name, tensor]): [string, Tensor] => {
      switch (accessOf(node, name)) {
        case 'pixels':
          return [name, place(tensor, part)];
        case 'rows':
          return [name, place(tensor, read ?? part)];
        case 'image':
          return [name, imageAt(tensor, part.image)];
        default:
          return [name, tensor];
      }
    });
    const output =
      node.op === 'groupNormPartial'
        ? chunksOf(node, part)
        : windowOf(node.output, part, written ? [written] : [], keepsRows);
    return {
      ...node,
      inputs: Object.fromEntries(inputs),
      constants: bandConstants(node, part, read),
      output,
    } as unknown as Node;
  }
}

/** No dispatch binds more than the device allows; the error names the layer that would. */
function expectBindings({ nodes }: Graph, maxBindingBytes: number): void {
  for (const node of nodes) {
    for (const [name, tensor] of [...inputsOf(node), ['its output', node.output] as const]) {
      const bytes = byteLength(tensor);
      if (bytes <= maxBindingBytes) continue;
      throw new DeviceError({
        what: `${node.path}: ${name} ${format(tensor)} does not fit maxStorageBufferBindingSize, and ${node.op} cannot split it`,
        needed: `${bytes} bytes`,
        got: `${maxBindingBytes} bytes`,
        remedy: 'Try a smaller tile, precision f16 or another adapter.',
        isMemory: true,
      });
    }
  }
}
