/**
 * A 3×3 convolution as the nodes of Winograd's algorithm, see kernels/winograd.ts.
 *
 *   conv2d → winogradWeight (constant: once for a plan) · winogradInput · batchedLinear · winogradOutput
 */
import { POINTS, pointsType, storageOf } from '../kernels/winograd.ts';
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
