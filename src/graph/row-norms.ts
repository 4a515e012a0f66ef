/**
 * Layer norms as part of the product that reads them, on GPUs: Graph → Graph. See kernels/row-norm.ts.
 *
 *   linear(layerNorm(x))   →   linear(x) with gamma, columns = γ·W and bias β·W + b
 *
 * The last two depend on weights alone: `Plan.prepare` computes them once.
 */
import { type Graph, newIds, type Node, type Tensor } from './graph.ts';
import { soleProducer, usesOf } from './uses.ts';

export function foldLayerNorms(graph: Graph): Graph {
  const uses = usesOf(graph);
  const dropped = new Set<Node>();
  const nextId = newIds(graph);

  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (node.op !== 'linear' || node.inputs.gamma || node.inputs.stats || node.inputs.x2)
      return [node];
    const norm = soleProducer(node.inputs.x, uses);
    if (norm?.op !== 'layerNorm' || node.inputs.residual?.id === node.inputs.x.id) return [node];
    dropped.add(norm);
    const { x, gamma, beta } = norm.inputs;
    const { weight, bias } = node.inputs;
    const columns = weight.shape.at(-1) ?? 0;
    const once = (name: string, vector: Tensor, added?: Tensor): Node<'linear'> => ({
      op: 'linear',
      path: `${node.path}.${name}`,
      inputs: { ...NO_INPUTS, x: { ...vector, shape: [1, ...vector.shape] }, weight, bias: added },
      constants: { dtype: 'f32' },
      output: { id: nextId(), dtype: 'f32', shape: [1, columns] },
    });
    const sums = once('columns', gamma);
    const offset = once('offset', beta, bias);
    const inputs = {
      ...node.inputs,
      x: { ...x, shape: node.inputs.x.shape },
      gamma,
      columns: { ...sums.output, shape: [columns] },
      bias: { ...offset.output, shape: [columns] },
    };
    const constants = { ...node.constants, rowEps: norm.constants.eps };
    return [sums, offset, { ...node, inputs, constants }];
  });
  return { ...graph, nodes: nodes.filter((node) => !dropped.has(node)) };
}

/** A `linear` of x, weight and perhaps a bias. */
export const NO_INPUTS = {
  x2: undefined,
  stats: undefined,
  beta: undefined,
  gamma: undefined,
  columns: undefined,
  residual: undefined,
};
