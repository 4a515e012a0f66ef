/**
 * Which algorithm computes a matrix product on a GPU, where one kernel is not the best: an algorithm of
 * several kernels becomes several nodes here, after bands, so that each sees the sizes it really has.
 *
 *   whole     the op's own kernel
 *   split<S>  gemmPartial over S parts of the inner dimension, then gemmReduce (kernels/gemm-split.ts)
 *
 * Chosen by `Target.designs` under `algorithm <class of the product>`, else by a guess that no
 * measurement supports yet: parts until there are about 256 workgroups, for products of a size that a
 * second dispatch does not matter to.
 */
import type { Choice, Target } from '../engine/kernel.ts';
import { choose } from '../kernels/designs.ts';
import { columnsOf, gemmKey, pixelsOf, TILES } from '../kernels/alu-tiles.ts';
import type { ImplicitGemm } from '../kernels/gemm-program.ts';
import { gemmOf, type Product } from '../kernels/product.ts';
import { type Graph, inputsOf, type Node, type Tensor } from './graph.ts';

const SPLITS = [2, 4, 8, 16] as const;
/** From so many workgroups on, a GPU has enough of them. */
const ENOUGH_WORKGROUPS = 256;
/** Products of fewer input channels and taps are over before a second dispatch pays. */
const MIN_INNER = 4096;
/** Of input channels and taps, in one part. */
const MIN_PART = 128;

type ProductNode = Node<'linear'> | Node<'conv2d'> | Node<'upsampleConv2d'>;

/** What the kernels of a split know; a node with other inputs stays whole. */
const KNOWN_INPUTS = new Set(['x', 'weight', 'bias', 'shift', 'residual']);

const isProduct = (node: Node): node is ProductNode =>
  (node.op === 'linear' || node.op === 'conv2d' || node.op === 'upsampleConv2d') &&
  !(node.op === 'linear' && node.constants.gated) &&
  inputsOf(node).every(([name]) => KNOWN_INPUTS.has(name));

const productOf = ({ op, constants }: ProductNode): Product => ({ op, constants }) as Product;

/** The choice for one node; undefined where there is none to make. */
export function algorithmOf(node: Node, target: Target): Choice | undefined {
  if (target.family === 'cpu' || !isProduct(node)) return undefined;
  const gemm = gemmOf(productOf(node), node.inputs);
  const inner = gemm.taps.y * gemm.taps.x * gemm.input.channels;
  const splits = SPLITS.filter((count) => inner / count >= MIN_PART).map((s) => `split${s}`);
  const guess = guessOf(gemm, inner, target);
  const candidates = [guess, ...['whole', ...splits].filter((name) => name !== guess)] as const;
  return choose(`algorithm ${gemmKey(gemm)}`, [guess, ...candidates.slice(1)], target);
}

function guessOf(gemm: ImplicitGemm, inner: number, target: Target): string {
  // Only the family `alu` can do parts, and matrix units are worth more than they are.
  if (target.matrix || inner < MIN_INNER) return 'whole';
  const tile = TILES.tile64x64;
  const workgroups =
    gemm.batch *
    gemm.phases *
    Math.ceil((gemm.pixels.height * gemm.pixels.width) / pixelsOf(tile)) *
    Math.ceil(gemm.channels / columnsOf(tile));
  if (2 * workgroups > ENOUGH_WORKGROUPS) return 'whole';
  // MIN_INNER leaves enough for each.
  const parts = SPLITS.find((count) => count * workgroups >= ENOUGH_WORKGROUPS) ?? SPLITS.at(-1);
  return `split${parts}`;
}

/** The graph with every product in the nodes of its algorithm. */
export function chooseAlgorithms(graph: Graph, target: Target): Graph {
  if (target.family === 'cpu') return graph;
  const tensors = graph.nodes.flatMap((node) => [node.output, ...Object.values(node.inputs)]);
  let next = tensors.reduce((max, tensor) => Math.max(max, tensor?.id ?? 0), 0) + 1;
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const [, count] = /^split(\d+)$/.exec(algorithmOf(node, target)?.design ?? '') ?? [];
    return count !== undefined && isProduct(node) ? split(node, Number(count), next++) : [node];
  });
  return { ...graph, nodes };
}

function split(node: ProductNode, splits: number, id: number): Node[] {
  const { x, weight } = node.inputs;
  const { activation = 'none' } = node.constants;
  const partial: Tensor = { id, dtype: 'f32', shape: [splits, ...node.output.shape] };
  const { bias } = node.inputs;
  return [
    {
      op: 'gemmPartial',
      path: `${node.path}.partial`,
      inputs: { x, weight },
      constants: { product: productOf(node), splits },
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
