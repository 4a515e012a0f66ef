/**
 * Weights in blocks of one matrix, for products that load them straight into subgroup matrices
 * (designs `… direct`, kernels/matrix-tiles.ts): Graph → Graph.
 *
 *   weight [..., K, N] → [..., K/k, N/n, k, n]        kernels/blocks.ts
 *
 * Where all readers are such products. A weight of the checkpoint is loaded like that (load-batch.ts); one
 * that the plan computes is packed when that is done, once, and so is one in a caller's buffer.
 *
 * It comes last: the nodes' kernels say which design they have, and keep it.
 */
import type { Blocks, Target } from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import { whenLoaded, type Work } from '../engine/slices.ts';
import { packedType } from '../kernels/blocks.ts';
import { type Graph, inputsOf, newIds, type Node, outputsOf, type Tensor } from './graph.ts';
import { constantNodes } from './liveness.ts';
import { kernelOfNode } from './ops.ts';
import { usesOf } from './uses.ts';

type Product = Extract<Node, { readonly inputs: { readonly weight: Tensor; readonly x: Tensor } }>;

const isProduct = (node: Node): node is Product => 'weight' in node.inputs && 'x' in node.inputs;

/** In steps of a few milliseconds, as `inSlices` takes them. */
export function* packingWeights(
  graph: Graph,
  { target }: { readonly target: Target },
): Work<Graph> {
  const { matrix } = target;
  if (!matrix) return graph;
  const blocks: Blocks = { k: matrix.k, n: matrix.n };
  const packable = yield* packableProducts(graph, target);
  const loaded = loadable(graph);
  const weights = new Map<number, PlanWeight>(graph.weights);
  const nextId = newIds(graph);
  /** Ids of those that the plan packs, by the id of what they are made from. */
  const made = new Map<number, number>();
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (!isProduct(node) || !packable.has(node)) return [node];
    const { weight } = node.inputs;
    const packed = (id: number): Tensor => ({ id, ...packedType(weight, blocks) });
    const reading = (id: number): Node => ({
      ...node,
      inputs: { ...node.inputs, weight: packed(id) },
    });
    const stored = loaded.get(weight.id);
    if (stored) {
      weights.set(weight.id, { ...stored, blocks });
      return [reading(weight.id)];
    }
    const known = made.get(weight.id);
    if (known !== undefined) return [reading(known)];
    const output = packed(nextId());
    made.set(weight.id, output.id);
    const path = `${node.path}.packWeight`;
    const pack: Node = { op: 'packWeight', path, inputs: { weight }, constants: blocks, output };
    return [pack, reading(output.id)];
  });
  return { ...graph, weights, nodes };
}

/** Those of a constant weight that has no other readers. */
function* packableProducts(graph: Graph, target: Target): Work<ReadonlySet<Node>> {
  const constants = new Set(graph.weights.keys());
  for (const node of constantNodes(graph)) for (const { id } of outputsOf(node)) constants.add(id);
  const direct = new Map<Node, number>();
  for (const node of graph.nodes) {
    if (!isProduct(node) || !constants.has(node.inputs.weight.id)) continue;
    if (yield* whenLoaded(() => isDirect(node, target))) direct.set(node, node.inputs.weight.id);
    yield;
  }
  const { consumers } = usesOf(graph);
  const readsAsWeight = (node: Node, id: number): boolean =>
    direct.get(node) === id && inputsOf(node).filter(([, tensor]) => tensor.id === id).length === 1;
  const packable = [...direct].filter(([, id]) =>
    consumers.get(id)?.every((reader) => readsAsWeight(reader, id)),
  );
  return new Set(packable.map(([node]) => node));
}

/** Weights that nobody sees but the nodes. */
function loadable({ weights, externals, names }: Graph): ReadonlyMap<number, PlanWeight> {
  const named = new Set([...names.values()].map(({ tensor }) => tensor.id));
  return new Map([...weights].filter(([id]) => !externals.has(id) && !named.has(id)));
}

function isDirect(node: Product, target: Target): boolean {
  const { choice } = kernelOfNode(node, target);
  return choice?.design.endsWith(' direct') === true;
}
