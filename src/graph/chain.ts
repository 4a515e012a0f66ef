/**
 * A feed-forward block's last product and the projection after it as one, on GPUs: Graph → Graph.
 *
 *   (g·V + b + h)·W + c + r = [g h]·[V·W; W] + (b·W + c) + r
 *
 * As much arithmetic, for W is square; a dispatch, a write and a read less. The weights on the right
 * depend on weights alone: `Plan.prepare` multiplies them once, in the storage of the activations. They
 * take memory beside V and W, and a plan of its own makes its own.
 */
import { sizeOf } from '../engine/kernel.ts';
import { type Graph, newIds, type Node, type Tensor } from './graph.ts';
import { NO_INPUTS } from './row-norms.ts';
import { soleProducer, type Uses, usesOf } from './uses.ts';

type Linear = Node<'linear'>;

export function chainProducts(graph: Graph): Graph {
  const uses = usesOf(graph);
  const nextId = newIds(graph);
  const dropped = new Set<Node>();
  /** Already one with the product before them. */
  const joined = new Set<Node>();
  const isWeight = (tensor: Tensor | undefined): boolean =>
    tensor === undefined || graph.weights.has(tensor.id);

  const nodes = graph.nodes.flatMap((node): Node[] => {
    const first = node.op === 'linear' && isPlain(node) ? firstOf(node, uses) : undefined;
    if (node.op !== 'linear' || !first || joined.has(first)) return [node];
    const { x, weight: v, bias: b, residual: h } = first.inputs;
    const { weight: w, bias: c } = node.inputs;
    if (!h || h.window || h.dtype !== x.dtype || ![v, b, w, c].every(isWeight)) return [node];
    const [inner = 0, columns = 0] = v.shape;
    if (w.shape.some((size) => size !== columns)) return [node];
    dropped.add(first);
    joined.add(node);

    const product: Linear = {
      op: 'linear',
      path: `${node.path}.product`,
      inputs: { ...NO_INPUTS, x: v, weight: w, bias: undefined },
      constants: { dtype: x.dtype === 'f16' ? 'f16' : 'f32' },
      output: { id: nextId(), dtype: x.dtype, shape: v.shape },
    };
    const both: Node<'concat'> = {
      op: 'concat',
      path: `${node.path}.weights`,
      inputs: { a: flat(product.output), b: flat(w) },
      constants: {},
      output: { id: nextId(), dtype: x.dtype, shape: [1, (inner + columns) * columns] },
    };
    const bias: Linear | undefined = b && {
      op: 'linear',
      path: `${node.path}.bias`,
      inputs: { ...NO_INPUTS, x: flat(b), weight: w, bias: c },
      constants: { dtype: 'f32' },
      output: { id: nextId(), dtype: 'f32', shape: [1, columns] },
    };
    const inputs = {
      ...node.inputs,
      x,
      x2: { ...h, shape: [...x.shape.slice(0, -1), columns] },
      weight: { ...both.output, shape: [inner + columns, columns] },
      bias: bias ? { ...bias.output, shape: [columns] } : c,
    };
    const path = `${first.path} + ${node.path.split('.').at(-1)}`;
    return [product, both, ...(bias ? [bias] : []), { ...node, path, inputs }];
  });
  return { ...graph, nodes: nodes.filter((node) => !dropped.has(node)) };
}

/** The product that makes x, for this reader alone. */
function firstOf({ inputs }: Linear, uses: Uses): Linear | undefined {
  const first = soleProducer(inputs.x, uses);
  if (first?.op !== 'linear' || !isPlain(first) || inputs.residual?.id === inputs.x.id) return;
  return (first.constants.activation ?? 'none') === 'none' ? first : undefined;
}

/** x by weights, and no more to x. */
const isPlain = ({ inputs, constants }: Linear): boolean =>
  !constants.gated && ![inputs.x2, inputs.stats, inputs.moments, inputs.gamma].some(Boolean);

const flat = (tensor: Tensor): Tensor => ({
  ...tensor,
  shape: [1, sizeOf(tensor.shape)],
});
