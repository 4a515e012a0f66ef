/** Graph → Plan: fuse, band, choose algorithms, take statistics from products, pack weights, split off what is constant, place tensors in slots, make kernels. */
import { byteLength, type Target } from '../engine/kernel.ts';
import { onDemand } from '../engine/on-demand.ts';
import type { Dispatch, Location, NamedTensor, Plan } from '../engine/plan.ts';
import { atOnce, whenLoaded, type Work } from '../engine/slices.ts';
import { loadKernels } from '../kernels/on-demand.ts';
import { chooseAlgorithms, productNodes } from './algorithms.ts';
import { chainProducts } from './chain.ts';
import { fuse } from './fuse.ts';
import { foldGates } from './gate.ts';
import { joinProjections } from './join.ts';
import { type Graph, inputsOf, type Node, type Tensor, wholeOf } from './graph.ts';
import { DEFAULT_MAX_BINDING_BYTES, needsBands } from './limits.ts';
import { constantNodes, lifetimes } from './liveness.ts';
import { dropConcats, foldNorms, joinSmallNorms } from './norms.ts';
import { kernelOfNode } from './ops.ts';
import { foldLayerNorms } from './row-norms.ts';
import { takingMoments } from './statistics.ts';
import { assignSlots, PART_BYTES } from './slots.ts';

export interface LowerOptions {
  /** Limits the named tensors that stay readable. @default all */
  readonly keep?: (name: string) => boolean;
  /** The device's maxStorageBufferBindingSize. @default the least that a device has */
  readonly maxBindingBytes?: number;
  /** Large tensors in bands even where they could be bound whole: less memory. @default true */
  readonly compact?: boolean;
}

const bands = onDemand('bands of large tensors', () => import('./band.ts'));
const packing = onDemand('weights in blocks', () => import('./pack.ts'));

/** All code that plans for a target may call for: before `lower`, which cannot wait for it. */
export async function loadPlanner(target: Pick<Target, 'family' | 'matrix'>): Promise<void> {
  await Promise.all([
    loadKernels(target),
    bands.load(),
    productNodes.load(),
    target.matrix && packing.load(),
  ]);
}

/** The graph of a run, but for products in the nodes of their algorithms. */
export const banded = (built: Graph, target: Target, options: LowerOptions = {}): Graph =>
  atOnce(banding(built, target, options));

function* banding(
  built: Graph,
  target: Target,
  { keep = () => true, maxBindingBytes = DEFAULT_MAX_BINDING_BYTES, compact = true }: LowerOptions,
): Work<Graph> {
  const names = new Map([...built.names].filter(([name]) => keep(name)));
  const simple = yield* simplifying({ ...built, names }, target, { maxBindingBytes, compact });
  yield;
  const chained = target.family === 'cpu' || compact ? simple : chainProducts(simple);
  yield;
  const limits = { maxBindingBytes, compact };
  if (!needsBands(chained, limits)) return chained;
  const { banding: bandingLarge } = yield* whenLoaded(() => bands.get());
  return yield* bandingLarge(chained, limits);
}

/** The graph whose nodes become dispatches, one each; weights are not packed yet. */
export const rewritten = (built: Graph, target: Target, options: LowerOptions = {}): Graph =>
  atOnce(rewriting(built, target, options));

function* rewriting(built: Graph, target: Target, options: LowerOptions): Work<Graph> {
  const whole = yield* banding(built, target, options);
  yield;
  const graph = yield* whenLoaded(() => chooseAlgorithms(whole, target, options));
  yield;
  return target.family === 'cpu' ? graph : yield* takingMoments(graph, target);
}

function* packed(graph: Graph, target: Target): Work<Graph> {
  const { packingWeights } = yield* whenLoaded(() => packing.get());
  return yield* packingWeights(graph, target);
}

/** NotLoadedError: the plan calls for code that is not there (`loadPlanner`). */
export const lower = (built: Graph, target: Target, options: LowerOptions = {}): Plan =>
  atOnce(lowering(built, target, options));

/** The same in steps of a few milliseconds, as `inSlices` takes them; waits for code that is not there. */
export function* lowering(built: Graph, target: Target, options: LowerOptions = {}): Work<Plan> {
  const plain = yield* rewriting(built, target, options);
  yield;
  const graph = target.matrix ? yield* packed(plain, target) : plain;
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

type SimplifyOptions = Pick<LowerOptions, 'maxBindingBytes' | 'compact'>;
type SimplifyTarget = Pick<Target, 'family' | 'matrix'>;

/** The same with fewer nodes; `compact` leaves those apart whose joint output would be large. */
export const simplify = (graph: Graph, target: SimplifyTarget, options: SimplifyOptions): Graph =>
  atOnce(simplifying(graph, target, options));

/**
 * GPUs have fewer norms, too. In bands a norm of a band's rows is cheap, and its reader shares the room of
 * one band; of rows, only the ALU's programs know the norm.
 */
function* simplifying(
  graph: Graph,
  { family, matrix }: SimplifyTarget,
  { maxBindingBytes = DEFAULT_MAX_BINDING_BYTES, compact = true }: SimplifyOptions,
): Work<Graph> {
  const fused = fuse(graph);
  yield;
  const gated = foldGates(fused);
  yield;
  const joined = joinProjections(gated, compact ? PART_BYTES : Infinity);
  if (family === 'cpu') return joined;
  yield;
  const small = dropConcats(joinSmallNorms(joined, maxBindingBytes));
  yield;
  const large = compact ? small : foldNorms(small);
  return matrix ? large : foldLayerNorms(large);
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
