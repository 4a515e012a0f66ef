/**
 * Splits nodes over large tensors into bands: Graph → Graph with the same result, bit for bit, since
 * every output pixel is the same sum in the same order.
 *
 *   node(x) → y     becomes, for each band,     node(window of x) → window of y
 *
 * A window is a range of a tensor's bytes, bound with an offset: no copies. That serves two ends.
 * No dispatch binds more than the device allows, and less memory is alive at a time: of what only
 * one strip reads (strips.ts) one band exists, and other large tensors lie in parts, each with a
 * buffer of its own that is free after its last use.
 */
import { DeviceError } from '../engine/errors.ts';
import { byteLength, format, type Shape, type TensorType } from '../engine/kernel.ts';
import { type Graph, inputsOf, type Node, type Tensor } from './graph.ts';
import {
  accessOf,
  alignmentOf,
  bandConstants,
  bandedTensors,
  chunkPixelsOf,
  imagesOf,
  pixelBytes,
  pixelsOf,
  rowsRead,
  type Span,
} from './spans.ts';
import {
  type Band,
  limitsOf,
  type Parts,
  partsOf,
  type Strip,
  stripsOf,
  type Uses,
  usesOf,
} from './strips.ts';

export interface BandOptions {
  /** The device's maxStorageBufferBindingSize. */
  readonly maxBindingBytes: number;
}

export function band(graph: Graph, { maxBindingBytes }: BandOptions): Graph {
  const uses = usesOf(graph);
  const limits = limitsOf(graph, maxBindingBytes);
  const strips = stripsOf(graph, uses, limits);
  const writer = new BandWriter(graph, uses, partsOf(strips, uses, limits));
  for (const strip of strips) writer.write(strip);
  const banded = { ...graph, nodes: writer.nodes };
  expectBindings(banded, maxBindingBytes);
  return banded;
}

/** Storage of a span of one image. */
interface Piece extends Band {
  readonly tensor: Tensor;
}

class BandWriter {
  readonly nodes: Node[] = [];
  readonly #uses: Uses;
  readonly #parts: ReadonlyMap<number, readonly Piece[]>;
  #nextId: number;

  constructor({ nodes, weights }: Graph, uses: Uses, parts: ReadonlyMap<number, Parts>) {
    this.#uses = uses;
    this.#nextId = Math.max(-1, ...nodes.map(({ output }) => output.id), ...weights.keys()) + 1;
    this.#parts = new Map(
      [...parts].map(([id, bands]) => {
        const output = uses.producers.get(id)?.output;
        return [id, output ? bands.map((part) => this.#piece(output, part)) : []];
      }),
    );
  }

  /** A tensor of its own for a span of `like`. */
  #piece(like: Tensor, { image, start, end }: Band): Piece {
    const shape = [1, 1, end - start, like.shape.at(-1) ?? 0];
    return { image, start, end, tensor: { id: this.#nextId++, dtype: like.dtype, shape } };
  }

  write({ nodes, bands }: Strip): void {
    const [first] = nodes;
    const parts = first?.op === 'groupNormPartial' && this.#parts.get(first.inputs.x.id);
    if (parts) for (const part of parts) this.#writeBand(nodes, part);
    else if (bands.length === 0) this.nodes.push(...nodes);
    else for (const each of bands) this.#writeBand(nodes, each);
  }

  #writeBand(nodes: readonly Node[], each: Band): void {
    const spans = this.#spansOf(nodes, each);
    const local = new Map<number, Piece>();
    for (const node of nodes) {
      const span = spans.get(node) ?? each;
      if (this.#isLocal(node, nodes)) {
        local.set(node.output.id, this.#piece(node.output, { ...span, image: each.image }));
      }
      for (const { start, end } of this.#cut(node, { ...span, image: each.image })) {
        const part = { image: each.image, start, end };
        this.nodes.push(this.#bandOf(node, part, nodes, local));
      }
    }
  }

  /** What each node has to compute: the band, or the rows around it too that a convolution reads. */
  #spansOf(nodes: readonly Node[], each: Span): Map<Node, Span> {
    const spans = new Map<Node, Span>();
    for (const node of nodes) {
      if (node.op !== 'conv2d' && node.op !== 'upsampleConv2d') continue;
      const producer = nodes.find(({ output }) => output.id === node.inputs.x.id);
      if (producer) spans.set(producer, this.#rowsOf(node, each, producer));
    }
    return spans;
  }

  #rowsOf(
    node: Node<'conv2d'> | Node<'upsampleConv2d'>,
    span: Span,
    producer: Node | undefined,
  ): Span {
    const tensors = [node.inputs.x, ...(producer ? bandedTensors(producer) : [])];
    return rowsRead(node, span, alignmentOf(tensors));
  }

  /** Read by the strip alone: it exists for one band. */
  #isLocal({ output }: Node, strip: readonly Node[]): boolean {
    const users = this.#uses.consumers.get(output.id) ?? [];
    return !this.#uses.pinned.has(output.id) && users.every((node) => strip.includes(node));
  }

  /** A span cut where a part of an input ends: rows around a band lie in the neighbours' parts. */
  #cut(node: Node, { image, start, end }: Band): Span[] {
    const ends = bandedTensors(node).flatMap(({ id }) =>
      (this.#parts.get(id) ?? []).flatMap((part) =>
        part.image === image && part.end > start && part.end < end ? [part.end] : [],
      ),
    );
    const cuts = [start, ...new Set(ends.toSorted((a, b) => a - b)), end];
    return cuts.slice(1).map((at, i) => ({ start: cuts[i] ?? start, end: at }));
  }

  #bandOf(node: Node, part: Band, strip: readonly Node[], local: ReadonlyMap<number, Piece>): Node {
    const isConvolution = node.op === 'conv2d' || node.op === 'upsampleConv2d';
    const producer = isConvolution && strip.find(({ output }) => output.id === node.inputs.x.id);
    const read = isConvolution ? this.#rowsOf(node, part, producer || undefined) : undefined;
    const place = (tensor: Tensor, span: Span): Tensor => {
      const wanted = { ...span, image: part.image };
      const pieces = local.get(tensor.id) ?? this.#parts.get(tensor.id) ?? [];
      return windowOf(tensor, wanted, [pieces].flat(), isConvolution);
    };
    const inputs = inputsOf(node).map(([name, tensor]): [string, Tensor] => {
      switch (accessOf(node, name)) {
        case 'pixels':
          return [name, place(tensor, part)];
        case 'rows':
          return [name, place(tensor, read ?? part)];
        case 'image':
          return [name, imageOf(tensor, part.image)];
        default:
          return [name, tensor];
      }
    });
    return {
      ...node,
      inputs: Object.fromEntries(inputs),
      constants: bandConstants(node, part, read),
      output: node.op === 'groupNormPartial' ? chunksOf(node, part) : place(node.output, part),
    } as unknown as Node;
  }
}

/** A span of one image of `tensor`, which may lie in pieces. */
function windowOf(
  tensor: Tensor,
  { image, start, end }: Band,
  pieces: readonly Piece[],
  keepsRows: boolean,
): Tensor {
  const [, , width = 1] = tensor.shape;
  const channels = tensor.shape.at(-1) ?? 0;
  const length = end - start;
  const flat = tensor.shape.length === 3 ? [1, length, channels] : [1, 1, length, channels];
  const shape = keepsRows ? [1, length / width, width, channels] : flat;
  if (pieces.length === 0) {
    const first = image * pixelsOf(tensor) + start;
    return viewOf(tensor, first * pixelBytes(tensor), shape);
  }
  const piece = pieces.find((p) => p.image === image && p.start <= start && end <= p.end);
  if (!piece) throw new Error(`tensor ${tensor.id} has no piece for pixels ${start} to ${end}`);
  return viewOf(piece.tensor, (start - piece.start) * pixelBytes(tensor), shape);
}

/** Image n, or the only one. */
function imageOf(tensor: Tensor, n: number): Tensor {
  const images = imagesOf(tensor);
  if (images === 1) return tensor;
  return viewOf(tensor, (n * byteLength(tensor)) / images, [1, ...tensor.shape.slice(1)]);
}

/** The rows of groupNormPartial's output that belong to a span of whole chunks. */
function chunksOf(node: Node<'groupNormPartial'>, { image, start, end }: Band): Tensor {
  const { output } = node;
  const [, chunks = 0, ...rest] = output.shape;
  const size = chunkPixelsOf(node);
  const first = start / size;
  const offset = (image * chunks + first) * 2 * pixelBytes(output);
  return viewOf(output, offset, [1, Math.ceil(end / size) - first, ...rest]);
}

function viewOf({ id, dtype, shape: full }: Tensor, offset: number, shape: Shape): Tensor {
  const whole: TensorType = { dtype, shape: full };
  if (byteLength({ dtype, shape }) === byteLength(whole)) return { id, dtype, shape };
  return { id, dtype, shape, window: { offset, whole } };
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
        remedy: 'Try a smaller --tile, --precision f16 or another --adapter.',
      });
    }
  }
}
