/**
 * What there is to tune in some graphs: every class of sizes with several designs, once, with its
 * costliest node, for which the designs are built.
 */
import type { EngineContext } from '../engine/context.ts';
import type { Choice, Kernel } from '../engine/kernel.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { constantNodes } from '../graph/liveness.ts';
import { type LowerOptions, rewritten } from '../graph/lower.ts';
import { kernelOf } from '../graph/ops.ts';
import { type Reference, referenceOf } from './sampled-reference.ts';

export interface Subject {
  readonly key: string;
  /** The factory's guess first. */
  readonly candidates: readonly string[];
  /** Layer path of the node. */
  readonly path: string;
  /** Dispatches of this class in all the graphs, and the work of all of them. */
  readonly count: number;
  readonly flops: number;
  /** What is in effect so far. */
  readonly now: Choice;
  /** The node's kernel of one of the candidates. */
  kernel(design: string): Kernel;
  /** undefined: nothing to compare with, so nothing may win. */
  reference(): Reference | undefined;
}

interface Class {
  readonly node: Node;
  readonly kernel: Kernel;
  readonly choice: Choice;
  readonly count: number;
  readonly flops: number;
}

/** Costliest first. Of nodes that run for every call; those that run once do not matter. */
export function subjectsOf(
  graphs: readonly Graph[],
  { target, capabilities }: Pick<EngineContext, 'target' | 'capabilities'>,
  { compact = true }: Pick<LowerOptions, 'compact'> = {},
): Subject[] {
  const maxBindingBytes = capabilities.limits.maxStorageBufferBindingSize;
  const classes = new Map<string, Class>();
  for (const built of graphs) {
    const graph = rewritten(built, target, { keep: () => false, maxBindingBytes, compact });
    const constant = constantNodes(graph);
    for (const node of graph.nodes) {
      if (constant.has(node)) continue;
      const kernel = kernelOf(node.op, { ...node.inputs }, node.constants, target);
      const { choice } = kernel;
      if (!choice || choice.candidates.length < 2) continue;
      const known = classes.get(choice.key);
      const costliest = known && known.kernel.cost.flops >= kernel.cost.flops ? known : undefined;
      classes.set(choice.key, {
        ...(costliest ?? { node, kernel, choice }),
        count: (known?.count ?? 0) + 1,
        flops: (known?.flops ?? 0) + kernel.cost.flops,
      });
    }
  }
  return [...classes.values()]
    .toSorted((a, b) => b.flops - a.flops)
    .map(({ node, choice, count, flops }) => ({
      key: choice.key,
      candidates: choice.candidates,
      path: node.path,
      count,
      flops,
      now: choice,
      kernel: (design) =>
        kernelOf(node.op, { ...node.inputs }, node.constants, {
          ...target,
          designs: { ...target.designs, [choice.key]: design },
        }),
      reference: () => referenceOf(node),
    }));
}
