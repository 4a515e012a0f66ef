/** Where a graph's tensors come from and go. */
import { type Graph, inputsOf, type Node, outputsOf, type Tensor } from './graph.ts';

export interface Uses {
  readonly producers: ReadonlyMap<number, Node>;
  readonly consumers: ReadonlyMap<number, readonly Node[]>;
  /** Named and external tensors keep their storage. */
  readonly pinned: ReadonlySet<number>;
}

export function usesOf({ nodes, externals, names }: Graph): Uses {
  const consumers = new Map<number, Node[]>();
  for (const node of nodes) {
    for (const id of new Set(inputsOf(node).map(([, tensor]) => tensor.id))) {
      consumers.set(id, [...(consumers.get(id) ?? []), node]);
    }
  }
  return {
    producers: new Map(
      nodes.flatMap((node) => outputsOf(node).map(({ id }): [number, Node] => [id, node])),
    ),
    consumers,
    pinned: new Set([...externals.keys(), ...[...names.values()].map(({ tensor }) => tensor.id)]),
  };
}

/** The node that writes a tensor that nothing but one node reads. */
export const soleProducer = (
  { id }: Tensor,
  { producers, consumers, pinned }: Uses,
): Node | undefined =>
  consumers.get(id)?.length === 1 && !pinned.has(id) ? producers.get(id) : undefined;
