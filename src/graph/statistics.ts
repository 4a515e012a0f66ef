/**
 * Group norms' statistics from the products before them, on GPUs: Graph → Graph.
 *
 *   product → groupNormPartial → groupNormFinalize      →   product with moments → groupNormFinalize
 *   product → groupNorm → reader                        →   product with moments → reader that normalizes
 *
 * A product then has a second output, its moments (kernels/moments.ts), which costs it a little at the
 * end of each tile. A reader that is a product too merges them as it begins, where they are few
 * (kernels/norm-groups.ts); else groupNormFinalize does that once for all of its workgroups. Norms of
 * which neither is true stay as they are, such as those of tensors side by side.
 *
 * It comes last, when every node is one kernel: how many chunks a product has moments of depends on the
 * tiles of its program. Tensors in bands keep their norms.
 */
import { sizeOf, type Target } from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import type { Activation } from '../kernels/epilogue.ts';
import { gcd } from '../kernels/moments.ts';
import { MAX_GROUPS } from '../kernels/norm-groups.ts';
import { type Graph, inputsOf, newIds, type Node, type Tensor } from './graph.ts';
import { kernelOf } from './ops.ts';
import { usesOf } from './uses.ts';
import { stacked } from './weight-parts.ts';

/**
 * f32 of moments that every workgroup of a reader merges, at most: 128 KiB. A 256² image's moments are
 * 192 KiB, which its thousands of workgroups would read again and again; one more dispatch is less.
 */
const MAX_MERGED = 32_768;
/** WebGPU's default maxStorageBuffersPerShaderStage, which every device has. */
const MAX_BINDINGS = 8;

type Producer = Node<'conv2d'> | Node<'linear'> | Node<'upsampleConv2d'> | Node<'gemmReduce'>;
type Reader = Node<'conv2d'> | Node<'linear'> | Node<'gemmPartial'>;

/** What becomes of a reader's x, or of its stats. */
interface Folded {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly constants: {
    readonly normActivation?: Activation;
    readonly normGroups?: number;
    readonly normEps?: number;
  };
}

export function momentsFromProducts(graph: Graph, target: Target): Graph {
  const writer = new Writer(graph, target);
  const nodes = graph.nodes.flatMap((node) => writer.write(node));
  return writer.graph(nodes);
}

class Writer {
  readonly #graph: Graph;
  readonly #target: Target;
  readonly #consumers: ReadonlyMap<number, readonly Node[]>;
  readonly #pinned: ReadonlySet<number>;
  readonly #producers: ReadonlyMap<number, Node>;
  readonly #nextId: () => number;
  readonly #weights: Map<number, PlanWeight>;
  /** Channels per entry that norms ask for, by the id of what they normalize. */
  readonly #wanted = new Map<number, number>();
  /** By the id of a tensor, or of what groupNormPartial made of it. */
  readonly #moments = new Map<number, Tensor>();
  readonly #folded = new Map<number, Folded>();

  constructor(graph: Graph, target: Target) {
    const { producers, consumers, pinned } = usesOf(graph);
    this.#graph = graph;
    this.#target = target;
    this.#consumers = consumers;
    this.#pinned = pinned;
    this.#nextId = newIds(graph);
    this.#weights = new Map(graph.weights);
    this.#producers = new Map([...producers].filter(([, node]) => !node.output.window));
    for (const node of graph.nodes) this.#ask(node);
  }

  /** A norm that has use for moments asks for them. */
  #ask(node: Node): void {
    if (node.op !== 'groupNorm' && node.op !== 'groupNormFinalize') return;
    const sources = this.#sourcesOf(node);
    const isMade = sources.every((x) => !x.window && isProducer(this.#producers.get(x.id), x));
    if (!isMade || (node.op === 'groupNorm' && !this.#readerOf(node))) return;
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
  #sourcesOf(node: Node<'groupNorm'> | Node<'groupNormFinalize'>): readonly Tensor[] {
    if (node.op === 'groupNorm') {
      return [node.inputs.x, node.inputs.x2].filter((x) => x !== undefined);
    }
    const partial = this.#producers.get(node.inputs.partial.id);
    return partial?.op === 'groupNormPartial' ? [partial.inputs.x] : [];
  }

  /** The product that can do a norm's work while it reads, if there is one. */
  #readerOf(norm: Node<'groupNorm'> | Node<'groupNormFinalize'>): Reader | undefined {
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

  write(node: Node): Node[] {
    switch (node.op) {
      case 'groupNormPartial': {
        const moments = this.#moments.get(node.inputs.x.id);
        if (!moments || node.inputs.x.window || !this.#isReplaced(node)) return [node];
        this.#moments.set(node.output.id, moments);
        return [];
      }
      case 'groupNormFinalize':
        return this.#writeFinalize(node);
      case 'groupNorm':
        return this.#writeNorm(node);
      default:
        return [this.#withMoments(this.#withNorm(node))];
    }
  }

  #isReplaced({ output: { id } }: Node): boolean {
    const readers = this.#consumers.get(id) ?? [];
    return !this.#pinned.has(id) && readers.every(({ op }) => op === 'groupNormFinalize');
  }

  #writeFinalize(node: Node<'groupNormFinalize'>): Node[] {
    const moments = this.#moments.get(node.inputs.partial.id);
    if (!moments) return [node];
    const reader = this.#readerOf(node);
    const beta = reader && 'beta' in reader.inputs ? reader.inputs.beta : undefined;
    const { groups, eps } = node.constants;
    const affine = beta && this.#affine({ gamma: node.inputs.gamma, beta, groups }, moments);
    if (!affine) return [{ ...node, inputs: { ...node.inputs, partial: moments } }];
    this.#folded.set(node.output.id, {
      inputs: { moments, affine },
      constants: { normGroups: groups, normEps: eps },
    });
    return [];
  }

  #writeNorm(node: Node<'groupNorm'>): Node[] {
    const { x, x2, gamma, beta } = node.inputs;
    const { groups, eps, activation: normActivation = 'none' } = node.constants;
    const moments = this.#moments.get(x.id);
    const moments2 = x2 && this.#moments.get(x2.id);
    if (!moments || (x2 && !moments2) || !this.#readerOf(node)) return [node];
    const affine = this.#affine({ gamma, beta, groups }, moments, moments2);
    if (affine) {
      this.#folded.set(node.output.id, {
        inputs: { x, ...(x2 && { x2 }), moments, ...(moments2 && { moments2 }), affine },
        constants: { normActivation, normGroups: groups, normEps: eps },
      });
      return [];
    }
    if (x2) return [node];
    const [batch = 1] = moments.shape;
    const stats: Tensor = { id: this.#nextId(), dtype: 'f32', shape: [batch, 2, ...gamma.shape] };
    this.#folded.set(node.output.id, {
      inputs: { x, stats, beta },
      constants: { normActivation },
    });
    return [
      {
        op: 'groupNormFinalize',
        path: node.path,
        inputs: { partial: moments, gamma },
        constants: { groups, eps },
        output: stats,
      },
    ];
  }

  /** gamma and beta in one, if the reader shall merge the moments itself. */
  #affine(
    { gamma, beta, groups }: { gamma: Tensor; beta: Tensor; groups: number },
    ...moments: readonly (Tensor | undefined)[]
  ): Tensor | undefined {
    const merged = moments.reduce((sum, one) => sum + (one ? sizeOf(one.shape.slice(1)) : 0), 0);
    const [first, second] = [gamma, beta].map(({ id }) => this.#weights.get(id));
    if (merged > MAX_MERGED || groups > MAX_GROUPS || !first || !second) return undefined;
    const weight = stacked([first, second]);
    const affine: Tensor = { id: this.#nextId(), ...weight.type };
    this.#weights.set(affine.id, weight);
    return affine;
  }

  #withNorm(node: Node): Node {
    if (!isReader(node)) return node;
    const stats = 'stats' in node.inputs ? node.inputs.stats : undefined;
    const folded = this.#folded.get((stats ?? node.inputs.x).id);
    if (!folded) return node;
    const { x = node.inputs.x, x2 } = folded.inputs;
    const view = (part: Tensor): Tensor => ({
      ...part,
      shape: [...node.inputs.x.shape.slice(0, -1), channelsOf(part)],
    });
    const inputs = {
      ...node.inputs,
      stats: undefined,
      beta: undefined,
      ...folded.inputs,
      x: view(x),
      ...(x2 && { x2: view(x2) }),
    };
    if (node.op !== 'gemmPartial') {
      return { ...node, inputs, constants: { ...node.constants, ...folded.constants } };
    }
    const { product } = node.constants;
    const constants = {
      ...node.constants,
      product: { ...product, constants: { ...product.constants, ...folded.constants } },
    };
    return { ...node, inputs, constants } as Node;
  }

  #withMoments(node: Node): Node {
    const width = this.#wanted.get(node.output.id);
    if (width === undefined || inputsOf(node).length + 2 > MAX_BINDINGS) return node;
    const made = { ...node, constants: { ...node.constants, moments: width } } as Node;
    const { moments } = kernelOf(made.op, { ...made.inputs }, made.constants, this.#target);
    if (!moments) return node;
    const tensor: Tensor = { id: this.#nextId(), ...moments.type };
    this.#moments.set(node.output.id, tensor);
    return { ...made, moments: tensor };
  }

  graph(nodes: readonly Node[]): Graph {
    const before = new Set(
      this.#graph.nodes.flatMap((node) => inputsOf(node).map(([, t]) => t.id)),
    );
    const read = new Set(nodes.flatMap((node) => inputsOf(node).map(([, t]) => t.id)));
    const weights = new Map(
      [...this.#weights].filter(
        ([id]) => read.has(id) || (this.#graph.weights.has(id) && !before.has(id)),
      ),
    );
    return { ...this.#graph, nodes, weights };
  }
}

/** Inputs of a reader that its program does not know beside a group norm. */
const UNKNOWN: ReadonlySet<string> = new Set(['x2', 'gamma', 'moments']);

const channelsOf = ({ shape }: Tensor): number => shape.at(-1) ?? 0;

const isReader = (node: Node): node is Reader =>
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
