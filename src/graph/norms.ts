/**
 * Group normalization of small images as one node in place of three: Graph → Graph.
 *
 *   groupNormPartial → groupNormFinalize → groupNormApply   →   groupNorm
 *
 * For GPUs, where a dispatch more costs what a small image's arithmetic does; a software adapter's
 * workgroup is one core, and three dispatches spread over all of them.
 */
import { isSmallGroupNorm } from '../kernels/group-norm-small.ts';
import type { Graph, Node } from './graph.ts';
import { type Uses, usesOf } from './uses.ts';

export function joinSmallNorms(graph: Graph): Graph {
  const uses = usesOf(graph);
  const dropped = new Set<Node>();
  const joined = new Map<Node, Node>();
  for (const node of graph.nodes) {
    if (node.op !== 'groupNormApply') continue;
    const finalize = soleProducer(node.inputs.stats.id, uses);
    if (finalize?.op !== 'groupNormFinalize') continue;
    const partial = soleProducer(finalize.inputs.partial.id, uses);
    if (partial?.op !== 'groupNormPartial' || partial.inputs.x.id !== node.inputs.x.id) continue;
    const { groups, eps } = finalize.constants;
    const { x, beta } = node.inputs;
    if (!isSmallGroupNorm(x, groups)) continue;
    dropped.add(partial).add(finalize);
    joined.set(node, {
      op: 'groupNorm',
      path: node.path,
      inputs: { x, gamma: finalize.inputs.gamma, beta },
      constants: { groups, eps, ...node.constants },
      output: node.output,
    });
  }
  const nodes = graph.nodes.filter((node) => !dropped.has(node));
  return { ...graph, nodes: nodes.map((node) => joined.get(node) ?? node) };
}

/** The node that makes a tensor which one other reads and nobody else. */
function soleProducer(id: number, { producers, consumers, pinned }: Uses): Node | undefined {
  return consumers.get(id)?.length === 1 && !pinned.has(id) ? producers.get(id) : undefined;
}
