/** Graph → Plan: rewritten (passes.ts), what is constant split off, tensors placed in slots, a kernel for each node. */
import { byteLength, type Target } from '../engine/kernel.ts';
import type { Dispatch, Location, NamedTensor, Plan } from '../engine/plan.ts';
import { atOnce, whenLoaded, type Work } from '../engine/slices.ts';
import { loadKernels } from '../kernels/on-demand.ts';
import { productNodes } from './algorithms.ts';
import { type Graph, inputsOf, type Node, type Tensor, wholeOf } from './graph.ts';
import { constantNodes, lifetimes } from './liveness.ts';
import { kernelOfNode } from './ops.ts';
import { bands, packing, type RewriteOptions, rewriting } from './passes.ts';
import { assignSlots } from './slots.ts';

/** All code that plans for a target may call for: before `lower`, which cannot wait for it. */
export async function loadPlanner(target: Pick<Target, 'family' | 'matrix'>): Promise<void> {
  await Promise.all([
    loadKernels(target),
    bands.load(),
    productNodes.load(),
    target.matrix && packing.load(),
  ]);
}

/** NotLoadedError: the plan calls for code that is not there (`loadPlanner`). */
export const lower = (built: Graph, target: Target, options: RewriteOptions = {}): Plan =>
  atOnce(lowering(built, target, options));

/** The same in steps of a few milliseconds, as `inSlices` takes them; waits for code that is not there. */
export function* lowering(built: Graph, target: Target, options: RewriteOptions = {}): Work<Plan> {
  const graph = yield* rewriting(built, target, options);
  const constant = constantNodes(graph);
  const order = [
    ...graph.nodes.filter((node) => constant.has(node)),
    ...graph.nodes.filter((node) => !constant.has(node)),
  ];
  const { slots, slotOf } = assignSlots(lifetimes(graph, order, constant));
  yield;
  const weightIds = [...graph.weights.keys()];
  const weightIndex = new Map(weightIds.map((id, i) => [id, i]));

  const locate = (tensor: Tensor, path: string): Location => {
    const { id, window } = tensor;
    const bytes = byteLength(tensor);
    const range = window && { offset: window.offset, bytes };
    const external = graph.externals.get(id);
    if (external !== undefined) return { kind: 'external', name: external, ...range };
    const weight = weightIndex.get(id);
    if (weight !== undefined) return { kind: 'weight', index: weight };
    const slot = slotOf.get(id);
    if (slot === undefined) throw new Error(`${path}: tensor ${id} is read but never written`);
    return { kind: 'slot', index: slot, bytes, ...range };
  };
  const dispatchOf = (node: Node): Dispatch => ({
    path: node.path,
    kernel: kernelOfNode(node, target),
    inputs: Object.fromEntries(inputsOf(node).map(([name, t]) => [name, locate(t, node.path)])),
    output: locate(node.output, node.path),
    ...(node.moments && { moments: locate(node.moments, node.path) }),
  });

  const dispatches: Dispatch[] = [];
  for (const node of order) {
    dispatches.push(yield* whenLoaded(() => dispatchOf(node)));
    yield;
  }
  const named = [...graph.names].map(([name, { tensor, channels }]): [string, NamedTensor] => {
    const { dtype, shape } = tensor;
    return [name, { location: locate(tensor, name), type: { dtype, shape }, channels }];
  });
  return {
    slots,
    weights: [...graph.weights.values()],
    externals: externalTypes(graph),
    prepare: dispatches.slice(0, constant.size),
    dispatches: dispatches.slice(constant.size),
    named: Object.fromEntries(named),
  };
}

function externalTypes({ nodes, externals }: Graph): Plan['externals'] {
  const types: Record<string, { dtype: Tensor['dtype']; shape: Tensor['shape'] }> = {};
  for (const node of nodes) {
    for (const tensor of [...inputsOf(node).map(([, t]) => t), node.output]) {
      const name = externals.get(tensor.id);
      const { dtype, shape } = wholeOf(tensor);
      if (name !== undefined) types[name] ??= { dtype, shape };
    }
  }
  return types;
}
