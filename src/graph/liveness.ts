/** First and last use of every tensor that needs a slot, over the execution order. */
import { byteLength } from '../engine/kernel.ts';
import { type Graph, inputsOf, type Node, outputsOf, wholeOf } from './graph.ts';

export interface Lifetime {
  readonly id: number;
  readonly bytes: number;
  /** Index of the first node that writes it; several do where each writes a window (band.ts). */
  readonly first: number;
  /** Index of the last node that uses it; Infinity where it must outlive the run. */
  readonly last: number;
}

/** Nodes that depend on weights and constants only: the plan's `prepare` list. */
export function constantNodes(graph: Graph): ReadonlySet<Node> {
  const constant = new Set<number>(graph.weights.keys());
  const found = new Set<Node>();
  for (const node of graph.nodes) {
    if (graph.externals.has(node.output.id)) continue;
    if (!inputsOf(node).every(([, { id }]) => constant.has(id))) continue;
    for (const { id } of outputsOf(node)) constant.add(id);
    found.add(node);
  }
  return found;
}

/**
 * Lifetimes over `order`. Outputs of constant nodes that a later node reads live forever, since
 * `prepare` runs once and `dispatches` many times; so do named tensors.
 */
export function lifetimes(
  graph: Graph,
  order: readonly Node[],
  constant: ReadonlySet<Node>,
): Lifetime[] {
  const named = new Set([...graph.names.values()].map(({ tensor }) => tensor.id));
  const last = new Map<number, number>();
  const producer = new Map(
    order.flatMap((node) => outputsOf(node).map(({ id }): [number, Node] => [id, node])),
  );
  for (const [i, node] of order.entries()) {
    for (const [, { id }] of inputsOf(node)) {
      const from = producer.get(id);
      const outlives = from && constant.has(from) && !constant.has(node);
      last.set(id, outlives ? Infinity : Math.max(i, last.get(id) ?? 0));
    }
  }
  const found = new Map<number, Lifetime>();
  for (const [i, node] of order.entries()) {
    for (const output of outputsOf(node)) {
      const { id } = output;
      if (graph.externals.has(id)) continue;
      const end = named.has(id) ? Infinity : Math.max(i, last.get(id) ?? 0);
      found.set(id, {
        id,
        bytes: byteLength(wholeOf(output)),
        first: found.get(id)?.first ?? i,
        last: end,
      });
    }
  }
  return [...found.values()];
}
