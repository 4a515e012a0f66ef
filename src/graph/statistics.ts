/**
 * Group norms' statistics from the products before them, on GPUs: Graph → Graph.
 *
 *   product → groupNormPartial → groupNormFinalize      →   product with moments → groupNormFinalize
 *   product → groupNorm → reader                        →   product with moments → reader that normalizes
 *
 * A product then has a second output, its moments (kernels/moments.ts), which costs it a little at the
 * end of each tile. A reader that is a product too merges them as it begins, where they are few
 * (kernels/norm-groups.ts); else groupNormFinalize does that once for all of its workgroups. Norms of
 * which neither is true stay as they are.
 *
 * It comes last, when every node is one kernel: how many chunks a product has moments of depends on the
 * tiles of its program. Tensors in bands keep their norms.
 */
import { sizeOf, type Target } from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import { whenLoaded, type Work } from '../engine/slices.ts';
import type { Activation } from '../kernels/epilogue.ts';
import { MAX_GROUPS } from '../kernels/norm-groups.ts';
import { type Graph, inputsOf, newIds, type Node, type Tensor } from './graph.ts';
import { channelsOf, isReader, MAX_BINDINGS, NormSites } from './norm-sites.ts';
import { kernelOfNode } from './ops.ts';
import { stacked } from './weight-parts.ts';

/**
 * f32 of moments that every workgroup of a reader merges, at most: 128 KiB. A 256² image's moments are
 * 192 KiB, which its thousands of workgroups would read again and again; one more dispatch is less.
 */
const MAX_MERGED = 32_768;

/** What becomes of a reader's x, or of its stats. */
interface Folded {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly constants: {
    readonly normActivation?: Activation;
    readonly normGroups?: number;
    readonly normEps?: number;
  };
}

/** In steps of a few milliseconds, as `inSlices` takes them. */
export function* takingMoments(graph: Graph, { target }: { readonly target: Target }): Work<Graph> {
  const writer = new Writer(graph, target);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const written = yield* whenLoaded(() => writer.write(node));
    nodes.push(...written);
    // A kernel was made to know its moments.
    if (written.some(({ moments }) => moments)) yield;
  }
  return writer.graph(nodes);
}

class Writer {
  readonly #graph: Graph;
  readonly #target: Target;
  readonly #sites: NormSites;
  readonly #nextId: () => number;
  readonly #weights: Map<number, PlanWeight>;
  /** By the id of a tensor, or of what groupNormPartial made of it. */
  readonly #moments = new Map<number, Tensor>();
  readonly #folded = new Map<number, Folded>();

  constructor(graph: Graph, target: Target) {
    this.#graph = graph;
    this.#target = target;
    this.#sites = new NormSites(graph);
    this.#nextId = newIds(graph);
    this.#weights = new Map(graph.weights);
  }

  /** NotLoadedError (ops.ts), and then nothing was written. */
  write(node: Node): Node[] {
    switch (node.op) {
      case 'groupNormPartial': {
        const moments = this.#moments.get(node.inputs.x.id);
        if (!moments || !this.#sites.isReplaceable(node)) return [node];
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

  #writeFinalize(node: Node<'groupNormFinalize'>): Node[] {
    const moments = this.#moments.get(node.inputs.partial.id);
    if (!moments) return [node];
    const reader = this.#sites.readerOf(node);
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
    if (!moments || (x2 && !moments2) || !this.#sites.readerOf(node)) return [node];
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
    const width = this.#sites.wantedOf(node);
    if (width === undefined || inputsOf(node).length + 2 > MAX_BINDINGS) return node;
    const made = { ...node, constants: { ...node.constants, momentChannels: width } } as Node;
    const { moments } = kernelOfNode(made, this.#target);
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
