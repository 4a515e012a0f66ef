/**
 * What there is to tune in some graphs: every class of sizes with several designs, once, with its
 * costliest node, for which the designs are built.
 *
 * A choice is a kernel's (`Kernel.choice`), or that of the nodes that compute a product
 * (graph/algorithms.ts). Either way a node alone in a graph is lowered with the design in
 * `Target.designs`, so that what is measured is what a plan would have.
 */
import type { EngineContext } from '../engine/context.ts';
import type { Choice, Designs, Target } from '../engine/kernel.ts';
import type { Plan, PlanWeight } from '../engine/plan.ts';
import { atOnce } from '../engine/slices.ts';
import { algorithmOf } from '../graph/algorithms.ts';
import { type Graph, inputsOf, type Node } from '../graph/graph.ts';
import { constantNodes } from '../graph/liveness.ts';
import { lower } from '../graph/lower.ts';
import { kernelOf } from '../graph/ops.ts';
import { type RewriteOptions, rewriting } from '../graph/passes.ts';
import { type Reference, referenceOf } from './sampled-reference.ts';

export interface Subject {
  readonly key: string;
  /** The factory's guess first. */
  readonly candidates: readonly string[];
  /** Layer path of the node. */
  readonly path: string;
  /** Nodes of this class in all the graphs, and the work of all of them. */
  readonly count: number;
  readonly flops: number;
  /**
   * The node in one of the candidates: its inputs are externals of their names, its output is called
   * `output`. What depends on the weight alone is in `prepare`. `found` are the designs of other classes.
   */
  plan(design: string, found: Designs): Plan;
  /** undefined: nothing to compare with, so nothing may win. */
  reference(): Reference | undefined;
}

interface Class {
  readonly node: Node;
  readonly choice: Choice;
  /** Of the node, and of all nodes. */
  readonly most: number;
  readonly flops: number;
  readonly count: number;
}

/**
 * Costliest first, and of one node its kernel before its algorithm, which is then chosen with the best
 * kernel. Only of nodes that run for every call.
 */
export function subjectsOf(
  graphs: readonly Graph[],
  { target, capabilities }: Pick<EngineContext, 'target' | 'capabilities'>,
  { compact = true }: Pick<RewriteOptions, 'compact'> = {},
): Subject[] {
  const maxBindingBytes = capabilities.limits.maxStorageBufferBindingSize;
  const classes = new Map<string, Class>();
  for (const built of graphs) {
    const options = { keep: () => false, maxBindingBytes, compact, until: 'bands' } as const;
    const graph = atOnce(rewriting(built, target, options));
    const constant = constantNodes(graph);
    for (const node of graph.nodes) {
      if (constant.has(node)) continue;
      const { choice, cost } = kernelOf(node.op, { ...node.inputs }, node.constants, target);
      for (const one of [choice, algorithmOf(node, target, { maxBindingBytes })]) {
        if (one && one.candidates.length > 1) add(classes, { node, choice: one }, cost.flops);
      }
    }
  }
  return [...classes.values()]
    .toSorted((a, b) => b.flops - a.flops)
    .map(({ node, choice: { key, candidates }, count, flops }) => ({
      key,
      candidates,
      path: node.path,
      count,
      flops,
      plan: (design, found) =>
        lower(
          alone(node),
          { ...target, designs: { ...target.designs, ...found, [key]: design } } satisfies Target,
          { maxBindingBytes, compact: false },
        ),
      reference: () => referenceOf(node),
    }));
}

function add(
  classes: Map<string, Class>,
  one: Pick<Class, 'node' | 'choice'>,
  flops: number,
): void {
  const known = classes.get(one.choice.key);
  const costliest = known && known.most >= flops ? known : { ...one, most: flops };
  classes.set(one.choice.key, {
    ...costliest,
    count: (known?.count ?? 0) + 1,
    flops: (known?.flops ?? 0) + flops,
  });
}

/** A graph of one node, every tensor of which is external; its weight counts as constant besides. */
function alone(node: Node): Graph {
  const externals = new Map<number, string>([[0, 'output']]);
  const weights: [number, PlanWeight][] = [];
  const inputs = inputsOf(node).map(([name, { dtype, shape }], i) => {
    externals.set(i + 1, name);
    if (name === 'weight') weights.push([i + 1, { key: name, layout: '', type: { dtype, shape } }]);
    return [name, { id: i + 1, dtype, shape }] as const;
  });
  const { dtype, shape } = node.output;
  const moved = { ...node, inputs: Object.fromEntries(inputs), output: { id: 0, dtype, shape } };
  return { nodes: [moved as Node], weights: new Map(weights), externals, names: new Map() };
}
