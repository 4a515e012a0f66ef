/**
 * A feed-forward block's gate as the epilogue of the product before it: Graph → Graph.
 *
 *   geglu(x·[V G] + b) = (x·V + b) · gelu(x·G + b)
 *
 * For that a program must hold both columns of a pair. They become neighbours when the weights are
 * loaded (`paired`, weight-parts.ts), and `linear` stores half as many (kernels/linear.ts).
 */
import type { PlanWeight } from '../engine/plan.ts';
import { type Graph, newIds, type Node, type Tensor } from './graph.ts';
import { soleProducer, usesOf } from './uses.ts';

export function foldGates(graph: Graph): Graph {
  const uses = usesOf(graph);
  const weights = new Map(graph.weights);
  const folded = new Set<Node>();
  const gated = new Map<Node, Node>();
  const nextId = newIds(graph);

  const pair = (tensor: Tensor): Tensor => {
    const id = nextId();
    const weight = weights.get(tensor.id);
    if (weight) weights.set(id, { ...weight, paired: true });
    return { ...tensor, id };
  };
  for (const node of graph.nodes) {
    if (node.op !== 'geglu') continue;
    const linear = soleProducer(node.inputs.x, uses);
    if (linear?.op !== 'linear' || !isPlain(linear, graph.weights)) continue;
    const { weight, bias } = linear.inputs;
    gated.set(node, {
      ...linear,
      inputs: { ...linear.inputs, weight: pair(weight), bias: bias && pair(bias) },
      constants: { ...linear.constants, gated: true },
      output: node.output,
    });
    folded.add(linear);
    for (const tensor of [weight, bias]) {
      if (tensor && uses.consumers.get(tensor.id)?.length === 1) weights.delete(tensor.id);
    }
  }
  const nodes = graph.nodes.filter((node) => !folded.has(node));
  return { ...graph, weights, nodes: nodes.map((node) => gated.get(node) ?? node) };
}

/** A product and its bias, of weights as a checkpoint has them. */
function isPlain(
  { inputs, constants }: Node<'linear'>,
  weights: ReadonlyMap<number, PlanWeight>,
): boolean {
  const used = [inputs.weight, inputs.bias].filter((tensor) => tensor !== undefined);
  return (
    !inputs.residual &&
    (constants.activation ?? 'none') === 'none' &&
    used.every(({ id, shape }) => weights.has(id) && (shape.at(-1) ?? 0) % 8 === 0)
  );
}
