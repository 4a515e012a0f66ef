/**
 * Which algorithm computes a matrix product on a GPU, where one kernel is not the best: an algorithm of
 * several kernels becomes several nodes here, after bands, so that each sees the sizes it really has.
 *
 *   whole      the op's own kernel
 *   split<S>   gemmPartial over S parts of the inner dimension, then gemmReduce (kernels/gemm-split.ts)
 *   winograd   3×3 convolutions as batched products of tiles (graph/product-nodes.ts)
 *
 * Chosen by `Target.designs` under `algorithm <class of the product>`, else by a guess that no
 * measurement supports yet: parts until there are about 256 workgroups, for products of a size that a
 * second dispatch does not matter to.
 */
import { byteLength, type Choice, sizeOf, type Target } from '../engine/kernel.ts';
import { onDemand } from '../engine/on-demand.ts';
import { columnsOf, gemmKey, pixelsOf, TILES } from '../kernels/alu-tiles.ts';
import { choose } from '../kernels/designs.ts';
import type { ImplicitGemm } from '../kernels/gemm-program.ts';
import { gemmOf, type Product } from '../kernels/product.ts';
import { pointsType, storageOf } from '../kernels/winograd.ts';
import { type Graph, inputsOf, newIds, type Node, type Tensor } from './graph.ts';
import { DEFAULT_MAX_BINDING_BYTES } from './limits.ts';

const SPLITS = [2, 4, 8, 16] as const;
/** From so many workgroups on, a GPU has enough of them. */
const ENOUGH_WORKGROUPS = 256;
/** Products of fewer input channels and taps are over before a second dispatch pays. */
const MIN_INNER = 4096;
/** Of input channels and taps, in one part. */
const MIN_PART = 128;
/** Below, the transforms of Winograd's algorithm take longer than the products it saves. */
const MIN_WINOGRAD_CHANNELS = 32;

export type ProductNode = Node<'linear'> | Node<'conv2d'> | Node<'upsampleConv2d'>;

export interface AlgorithmOptions {
  /** The device's maxStorageBufferBindingSize. @default the least that a device has */
  readonly maxBindingBytes?: number | undefined;
}

/** What the kernels of every algorithm know; a node with other inputs stays whole. */
const KNOWN_INPUTS = new Set(['x', 'x2', 'stats', 'beta', 'weight', 'bias', 'shift', 'residual']);

const isProduct = (node: Node): node is ProductNode =>
  (node.op === 'linear' || node.op === 'conv2d' || node.op === 'upsampleConv2d') &&
  !(node.op === 'linear' && node.constants.gated) &&
  inputsOf(node).every(([name]) => KNOWN_INPUTS.has(name));

const productOf = ({ op, constants }: ProductNode): Product => ({ op, constants }) as Product;

/** What all designs but `whole` call for. */
export const productNodes = onDemand(
  'products in several kernels',
  () => import('./product-nodes.ts'),
);

/** The choice for one node; undefined where there is none to make. */
export function algorithmOf(
  node: Node,
  target: Target,
  { maxBindingBytes = DEFAULT_MAX_BINDING_BYTES }: AlgorithmOptions = {},
): Choice | undefined {
  if (target.family === 'cpu' || !isProduct(node)) return undefined;
  const gemm = gemmOf(productOf(node), node.inputs);
  const inner = gemm.taps.y * gemm.taps.x * gemm.input.channels;
  const partBytes = 4 * sizeOf(node.output.shape);
  const canSplit = (count: number): boolean =>
    inner / count >= MIN_PART && count * partBytes <= maxBindingBytes;
  const splits = SPLITS.filter(canSplit).map((s) => `split${s}`);
  const wanted = guessOf(gemm, inner);
  const guess = splits.includes(wanted) ? wanted : 'whole';
  const others = [
    'whole',
    ...splits,
    ...(hasWinograd(node, maxBindingBytes) ? ['winograd'] : []),
  ].filter((name) => name !== guess);
  return choose(`algorithm ${gemmKey(gemm)}`, [guess, ...others], target);
}

function hasWinograd(node: ProductNode, maxBindingBytes: number): boolean {
  if (node.op !== 'conv2d' || node.inputs.x2 || (node.constants.stride ?? 1) !== 1) return false;
  const { x, weight } = node.inputs;
  const [kh, kw, ...channels] = weight.shape;
  if (kh !== 3 || kw !== 3) return false;
  const between = channels.map((c) => byteLength(pointsType(node.output, c, storageOf(x))));
  return Math.max(...between) <= maxBindingBytes && Math.min(...channels) >= MIN_WINOGRAD_CHANNELS;
}

function guessOf(gemm: ImplicitGemm, inner: number): string {
  if (inner < MIN_INNER) return 'whole';
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

/** The graph with every product in the nodes of its algorithm. NotLoadedError: `productNodes`. */
export function chooseAlgorithms(
  graph: Graph,
  { target, ...options }: AlgorithmOptions & { readonly target: Target },
): Graph {
  const next = newIds(graph);
  const weights = new Map<number, Tensor>();
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (!isProduct(node)) return [node];
    const design = algorithmOf(node, target, options)?.design ?? 'whole';
    if (design === 'winograd' && node.op === 'conv2d') {
      return productNodes.get().winograd(node, next, weights);
    }
    const [, parts] = /^split(\d+)$/.exec(design) ?? [];
    return parts === undefined
      ? [node]
      : productNodes.get().split(node, productOf(node), Number(parts), next());
  });
  return { ...graph, nodes };
}
