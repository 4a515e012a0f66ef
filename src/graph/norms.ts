/**
 * Group normalization in fewer nodes, for GPUs: Graph → Graph.
 *
 *   groupNormPartial → groupNormFinalize → groupNormApply   →   groupNorm             of small images
 *   groupNormApply → conv2d | linear                        →   one that normalizes what it reads
 *   concat → groupNorm | linear                             →   one that reads both parts
 *
 * A dispatch more costs a GPU what a small image's arithmetic does; a software adapter's workgroup is
 * one core, and three dispatches spread over all of them. Of a large image the second saves a write
 * and a read of all of it, for computing the norm once per tap and block of output columns: a GPU has
 * arithmetic to spare there, a software adapter has not. The values read are those that would have
 * been stored but for their rounding.
 */
import { byteLength } from '../engine/kernel.ts';
import { isSmallGroupNorm } from '../kernels/group-norm.ts';
import type { Graph, Node, Tensor } from './graph.ts';
import type { BandOptions } from './limits.ts';
import { soleProducer, usesOf } from './uses.ts';

/** Of images that a dispatch can bind whole. */
export function joinSmallNorms(
  graph: Graph,
  { maxBindingBytes }: Pick<BandOptions, 'maxBindingBytes'>,
): Graph {
  const uses = usesOf(graph);
  const dropped = new Set<Node>();
  const joined = new Map<Node, Node>();
  for (const node of graph.nodes) {
    if (node.op !== 'groupNormApply') continue;
    const finalize = soleProducer(node.inputs.stats, uses);
    if (finalize?.op !== 'groupNormFinalize') continue;
    const partial = soleProducer(finalize.inputs.partial, uses);
    if (partial?.op !== 'groupNormPartial' || partial.inputs.x.id !== node.inputs.x.id) continue;
    const { groups, eps } = finalize.constants;
    const { x, beta } = node.inputs;
    if (!isSmallGroupNorm(x, groups)) continue;
    if (Math.max(byteLength(x), byteLength(node.output)) > maxBindingBytes) continue;
    dropped.add(partial).add(finalize);
    joined.set(node, {
      op: 'groupNorm',
      path: node.path,
      inputs: { x, x2: undefined, gamma: finalize.inputs.gamma, beta },
      constants: { groups, eps, ...node.constants },
      output: node.output,
    });
  }
  const nodes = graph.nodes.filter((node) => !dropped.has(node));
  return { ...graph, nodes: nodes.map((node) => joined.get(node) ?? node) };
}

/** Tensors side by side are read where they lie, if all readers can. */
export function dropConcats(graph: Graph): Graph {
  const { consumers, pinned } = usesOf(graph);
  const joined = new Map<number, Node<'concat'>['inputs']>();
  for (const { op, inputs, output } of graph.nodes) {
    const readers = consumers.get(output.id) ?? [];
    const canRead = (node: Node): boolean =>
      node.op === 'groupNorm' ||
      (node.op === 'linear' && !node.inputs.stats && node.inputs.residual?.id !== output.id);
    const isApart = op === 'concat' && inputs.a.dtype === inputs.b.dtype;
    if (isApart && !pinned.has(output.id) && readers.every(canRead)) joined.set(output.id, inputs);
  }
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (joined.has(node.output.id)) return [];
    if (node.op !== 'groupNorm' && node.op !== 'linear') return [node];
    const parts = joined.get(node.inputs.x.id);
    if (!parts) return [node];
    const view = (part: Tensor): Tensor => ({
      ...part,
      shape: [...node.inputs.x.shape.slice(0, -1), part.shape.at(-1) ?? 0],
    });
    const inputs = { ...node.inputs, x: view(parts.a), x2: view(parts.b) };
    return [{ ...node, inputs } as Node];
  });
  return { ...graph, nodes };
}

/** Norms applied where their readers load them, if these can and there is one of them. */
export function foldNorms(graph: Graph): Graph {
  const uses = usesOf(graph);
  const dropped = new Set<Node>();
  const nodes = graph.nodes.map((node) => {
    if ((node.op !== 'conv2d' && node.op !== 'linear') || node.inputs.stats) return node;
    if (node.op === 'linear' && node.inputs.x2) return node;
    if (node.inputs.residual?.id === node.inputs.x.id) return node;
    const apply = soleProducer(node.inputs.x, uses);
    if (apply?.op !== 'groupNormApply' || apply.inputs.x.dtype !== apply.output.dtype) return node;
    const { x, stats, beta } = apply.inputs;
    dropped.add(apply);
    const view = { ...x, shape: node.inputs.x.shape };
    const { activation = 'none' } = apply.constants;
    return {
      ...node,
      inputs: { ...node.inputs, x: view, stats, beta },
      constants: { ...node.constants, normActivation: activation },
    };
  });
  return { ...graph, nodes: nodes.filter((node) => !dropped.has(node)) };
}
