/**
 * A product as the nodes of several kernels (algorithms.ts chooses).
 *
 *   split      product → gemmPartial · gemmReduce: parts of the inner dimension beside each other
 *   winograd   conv2d 3×3 → winogradWeight (constant: once for a plan) · winogradInput · batchedLinear · winogradOutput,
 *              see kernels/winograd.ts
 */
import type { Product } from '../kernels/product.ts';
import { POINTS, pointsType, storageOf } from '../kernels/winograd.ts';
import type { ProductNode } from './algorithms.ts';
import type { Node, Tensor } from './graph.ts';

type Convolution = Node<'conv2d'>;

/** Tensors of a rewrite: `next()` gives an id that is not taken. */
type Next = () => number;

const PADDING = { top: 0, left: 0, bottom: 0, right: 0 } as const;

/** `weights` holds the weights transformed so far, by the id of what they were made from. */
export function winograd(node: Convolution, next: Next, weights: Map<number, Tensor>): Node[] {
  const { x, stats, beta, weight, bias, shift, residual } = node.inputs;
  const { padding = PADDING, activation = 'none', normActivation = 'none' } = node.constants;
  const [, , ci = 0, co = 0] = weight.shape;
  const dtype = storageOf(x);
  const known = weights.get(weight.id);
  const u: Tensor = known ?? { id: next(), dtype, shape: [POINTS, ci, co] };
  weights.set(weight.id, u);
  const v: Tensor = { id: next(), ...pointsType(node.output, ci, dtype) };
  const m: Tensor = { id: next(), ...pointsType(node.output, co, dtype) };
  const prepare: Node = {
    op: 'winogradWeight',
    path: `${node.path}.winogradWeight`,
    inputs: { weight },
    constants: { dtype },
    output: u,
  };
  return [
    ...(known ? [] : [prepare]),
    {
      op: 'winogradInput',
      path: `${node.path}.winogradInput`,
      inputs: { x, stats, beta },
      constants: { padding, dtype, normActivation },
      output: v,
    },
    {
      op: 'batchedLinear',
      path: `${node.path}.products`,
      inputs: { x: v, weight: u },
      constants: { dtype },
      output: m,
    },
    {
      op: 'winogradOutput',
      path: node.path,
      inputs: { m, bias, shift, residual },
      constants: {
        shape: node.output.shape,
        activation,
        dtype: storageOf(node.output),
      },
      output: node.output,
    },
  ];
}

/** `product` is the node's as one kernel. */
export function split(node: ProductNode, product: Product, splits: number, id: number): Node[] {
  const { x, weight, bias } = node.inputs;
  const { activation = 'none' } = node.constants;
  const partial: Tensor = { id, dtype: 'f32', shape: [splits, ...node.output.shape] };
  return [
    {
      op: 'gemmPartial',
      path: `${node.path}.partial`,
      inputs: {
        x,
        ...('x2' in node.inputs && { x2: node.inputs.x2 }),
        ...('stats' in node.inputs && { stats: node.inputs.stats, beta: node.inputs.beta }),
        weight,
      },
      constants: { product, splits },
      output: partial,
    },
    {
      op: 'gemmReduce',
      path: node.path,
      inputs: {
        partial,
        bias,
        ...('shift' in node.inputs && { shift: node.inputs.shift }),
        ...('residual' in node.inputs && { residual: node.inputs.residual }),
      },
      constants: { activation, dtype: node.output.dtype === 'f16' ? 'f16' : 'f32' },
      output: node.output,
    },
  ];
}
