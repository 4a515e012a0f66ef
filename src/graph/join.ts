/**
 * The projections of an attention as one product: Graph → Graph.
 *
 *   q = x·Wq, k = x·Wk, v = x·Wv   →   qkv = x·[Wq Wk Wv], of which attention reads its channels
 *
 * In cross attention k and v are of the prompt, and become one product of their own. Every column is
 * the same sum as before. The weights are stacked when they are loaded (weight-parts.ts).
 * Where memory is short, a large product would keep q from making room for others.
 */
import { byteLength } from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import { type Graph, newIds, type Node, type Tensor } from './graph.ts';
import type { BandOptions } from './limits.ts';
import { PART_BYTES } from './slots.ts';
import { type Uses, usesOf } from './uses.ts';
import { stacked } from './weight-parts.ts';

type Attention = Node<'attention'>;
type Linear = Node<'linear'>;

export function joinProjections(graph: Graph, { compact }: Pick<BandOptions, 'compact'>): Graph {
  const writer = new JoinWriter(graph, compact ? PART_BYTES : Infinity);
  for (const node of graph.nodes) if (node.op === 'attention') writer.join(node);
  return writer.graph();
}

class JoinWriter {
  readonly #graph: Graph;
  readonly #uses: Uses;
  readonly #maxBytes: number;
  readonly #weights: Map<number, PlanWeight>;
  /** What becomes of a node; nothing where a joint one has its place. */
  readonly #replaced = new Map<Node, Node | undefined>();
  readonly #nextId: () => number;

  constructor(graph: Graph, maxBytes: number) {
    this.#graph = graph;
    this.#maxBytes = maxBytes;
    this.#uses = usesOf(graph);
    this.#weights = new Map(graph.weights);
    this.#nextId = newIds(graph);
  }

  graph(): Graph {
    const { nodes, ...rest } = this.#graph;
    const kept = nodes.flatMap((node) =>
      this.#replaced.has(node) ? [this.#replaced.get(node)].filter((n) => n !== undefined) : [node],
    );
    const read = new Set(
      kept.flatMap((node) => Object.values<Tensor | undefined>(node.inputs).map((t) => t?.id)),
    );
    // Those of names and outputs stay, too: constants that nobody computes with.
    const weights = new Map([...this.#weights].filter(([id]) => read.has(id)));
    return { ...rest, nodes: kept, weights };
  }

  join(attention: Attention): void {
    const { q, k, v } = attention.inputs;
    if (attention.constants.offsets) return;
    const channels = q.shape.at(-1) ?? 0;
    const [toQ, toK, toV] = [q, k, v].map((t) => this.#projection(t));
    if (!toK || !toV || !areAlike(toK, toV)) return;
    if (byteLength(q) + byteLength(k) + byteLength(v) > this.#maxBytes) return;
    if (toQ && areAlike(toQ, toK)) {
      const qkv = this.#stack([toQ, toK, toV], q);
      const offsets = { q: 0, k: channels, v: 2 * channels };
      this.#read(attention, { q: qkv, k: qkv, v: qkv }, { channels, offsets });
    } else {
      const kv = this.#stack([toK, toV], k);
      this.#read(
        attention,
        { q, k: kv, v: kv },
        { channels, offsets: { q: 0, k: 0, v: channels } },
      );
    }
  }

  /** The product that a tensor is, if it is nothing else and for one reader alone. */
  #projection({ id }: Tensor): Linear | undefined {
    const node = this.#uses.producers.get(id);
    if (node?.op !== 'linear' || node.inputs.residual) return undefined;
    if ((node.constants.activation ?? 'none') !== 'none') return undefined;
    const isShared = this.#uses.pinned.has(id) || this.#uses.consumers.get(id)?.length !== 1;
    const weights = [node.inputs.weight, node.inputs.bias].filter((t) => t !== undefined);
    if (isShared || !weights.every((t) => this.#weights.has(t.id))) return undefined;
    return node;
  }

  /** One product in place of several, with rows as wide as theirs together; `like` one of them. */
  #stack(linears: readonly [Linear, ...Linear[]], like: Tensor): Tensor {
    const [first, ...others] = linears;
    const weight = this.#stackWeights(linears.map(({ inputs }) => inputs.weight));
    const bias = first.inputs.bias && this.#stackWeights(linears.map(({ inputs }) => inputs.bias));
    const output: Tensor = {
      id: this.#nextId(),
      dtype: like.dtype,
      shape: [...first.output.shape.slice(0, -1), weight.shape.at(-1) ?? 0],
    };
    this.#replaced.set(first, {
      ...first,
      path: [first.path, ...others.map(({ path }) => path.split('.').at(-1))].join(' + '),
      inputs: { ...first.inputs, weight, bias },
      output,
    });
    for (const other of others) this.#replaced.set(other, undefined);
    return { ...output, shape: [...like.shape.slice(0, -1), output.shape.at(-1) ?? 0] };
  }

  #stackWeights(tensors: readonly (Tensor | undefined)[]): Tensor {
    const found = tensors.flatMap((t) => (t ? [this.#weights.get(t.id)] : []));
    const [first, ...others] = found.filter((weight) => weight !== undefined);
    if (!first) throw new Error('projections without weights');
    const weight = stacked([first, ...others]);
    const tensor: Tensor = { id: this.#nextId(), ...weight.type };
    this.#weights.set(tensor.id, weight);
    return tensor;
  }

  #read(
    attention: Attention,
    inputs: Attention['inputs'],
    packed: Pick<Attention['constants'], 'channels' | 'offsets'>,
  ): void {
    const constants = { ...attention.constants, ...packed };
    this.#replaced.set(attention, { ...attention, inputs, constants });
  }
}

/** Products of one x, stored alike. */
const areAlike = (a: Linear, b: Linear): boolean =>
  a.inputs.x.id === b.inputs.x.id &&
  a.inputs.x.shape.join() === b.inputs.x.shape.join() &&
  a.constants.dtype === b.constants.dtype &&
  a.inputs.weight.dtype === b.inputs.weight.dtype &&
  (a.inputs.bias === undefined) === (b.inputs.bias === undefined);
