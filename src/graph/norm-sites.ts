/**
 * The group norms of a graph whose statistics can come from products (statistics.ts): what they are of,
 * who makes that, and who could normalize while it reads.
 */
import { gcd } from '../kernels/moments.ts';
import { type Graph, inputsOf, type Node, type Tensor } from './graph.ts';
import { usesOf } from './uses.ts';

/** WebGPU's default maxStorageBuffersPerShaderStage, which every device has. */
export const MAX_BINDINGS = 8;

type Producer = Node<'conv2d'> | Node<'linear'> | Node<'upsampleConv2d'> | Node<'gemmReduce'>;
export type Reader = Node<'conv2d'> | Node<'linear'> | Node<'gemmPartial'>;
type Norm = Node<'groupNorm'> | Node<'groupNormFinalize'>;

export class NormSites {
  readonly #consumers: ReadonlyMap<number, readonly Node[]>;
  readonly #pinned: ReadonlySet<number>;
  readonly #producers: ReadonlyMap<number, Node>;
  readonly #wanted = new Map<number, number>();

  constructor(graph: Graph) {
    const { producers, consumers, pinned } = usesOf(graph);
    this.#consumers = consumers;
    this.#pinned = pinned;
    this.#producers = new Map([...producers].filter(([, node]) => !node.output.window));
    for (const node of graph.nodes) this.#ask(node);
  }

  /** Channels per entry of its moments that norms of a node's output ask for. */
  wantedOf({ output }: Node): number | undefined {
    return this.#wanted.get(output.id);
  }

  /** Nothing but norms reads what groupNormPartial makes of a whole tensor. */
  isReplaceable({ inputs, output: { id } }: Node<'groupNormPartial'>): boolean {
    const readers = this.#consumers.get(id) ?? [];
    const isRead = !this.#pinned.has(id) && readers.every(({ op }) => op === 'groupNormFinalize');
    return isRead && !inputs.x.window;
  }

  /** A norm that has use for moments asks for them. */
  #ask(node: Node): void {
    if (node.op !== 'groupNorm' && node.op !== 'groupNormFinalize') return;
    const sources = this.#sourcesOf(node);
    const isMade = sources.every((x) => !x.window && isProducer(this.#producers.get(x.id), x));
    if (!isMade || (node.op === 'groupNorm' && !this.readerOf(node))) return;
    const channels = sources.reduce((sum, x) => sum + channelsOf(x), 0);
    for (const [i, x] of sources.entries()) {
      // The runs of a second tensor begin where the first one ends: maybe inside of a group.
      const [first] = sources;
      const width = channels / node.constants.groups;
      const run = i === 0 || !first ? width : gcd(width, channelsOf(first));
      this.#wanted.set(x.id, gcd(run, this.#wanted.get(x.id) ?? run));
    }
  }

  /** What a norm's statistics are of. */
  #sourcesOf(node: Norm): readonly Tensor[] {
    if (node.op === 'groupNorm') {
      return [node.inputs.x, node.inputs.x2].filter((x) => x !== undefined);
    }
    const partial = this.#producers.get(node.inputs.partial.id);
    const isPartial = partial?.op === 'groupNormPartial' && this.isReplaceable(partial);
    return isPartial ? [partial.inputs.x] : [];
  }

  /** The product that can do a norm's work while it reads, if there is one. */
  readerOf(norm: Norm): Reader | undefined {
    const { id } = norm.output;
    const [reader, ...others] = this.#consumers.get(id) ?? [];
    if (!reader || others.length > 0 || this.#pinned.has(id) || !isReader(reader)) return undefined;
    const inputs = inputsOf(reader);
    const [[name] = [], ...more] = inputs.filter(([, tensor]) => tensor.id === id);
    if (more.length > 0 || name !== (norm.op === 'groupNorm' ? 'x' : 'stats')) return undefined;
    if (inputs.some(([other, { window }]) => window || UNKNOWN.has(other))) return undefined;
    if (norm.op === 'groupNormFinalize') return reader;
    if (norm.inputs.x.dtype !== norm.output.dtype || 'stats' in Object.fromEntries(inputs)) {
      return undefined;
    }
    // moments and affine more, and the same of x2 but for the latter; y, and maybe its moments.
    const bindings = inputs.length + (norm.inputs.x2 ? 4 : 2) + (this.#isNormed(reader) ? 2 : 1);
    return bindings <= MAX_BINDINGS ? reader : undefined;
  }

  /** Whether somebody may ask for moments of a node's output. */
  #isNormed({ output }: Node): boolean {
    const readers = this.#consumers.get(output.id) ?? [];
    return readers.some(({ op }) => op === 'groupNorm' || op === 'groupNormPartial');
  }
}

/** Inputs of a reader that its program does not know beside a group norm. */
const UNKNOWN: ReadonlySet<string> = new Set(['x2', 'gamma', 'moments']);

export const channelsOf = ({ shape }: Tensor): number => shape.at(-1) ?? 0;

export const isReader = (node: Node): node is Reader =>
  node.op === 'conv2d' || node.op === 'linear' || node.op === 'gemmPartial';

/** A product all of whose output x is a view of, image by image. */
const isProducer = (node: Node | undefined, x: Tensor): node is Producer =>
  node !== undefined &&
  (node.op === 'conv2d' ||
    node.op === 'upsampleConv2d' ||
    node.op === 'gemmReduce' ||
    (node.op === 'linear' && !node.constants.gated)) &&
  node.output.shape.length > 2 &&
  node.output.shape[0] === x.shape[0] &&
  node.output.shape.at(-1) === x.shape.at(-1);
