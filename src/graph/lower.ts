/** Graph → Plan: fuse, band, choose algorithms, split off what is constant, place tensors in slots, make kernels. */
import { byteLength, type Target } from '../engine/kernel.ts';
import type { Dispatch, Location, NamedTensor, Plan } from '../engine/plan.ts';
import { chooseAlgorithms } from './algorithms.ts';
import { band } from './band.ts';
import { fuse } from './fuse.ts';
import { foldGates } from './gate.ts';
import { joinProjections } from './join.ts';
import { type Graph, inputsOf, type Node, type Tensor, wholeOf } from './graph.ts';
import { constantNodes, lifetimes } from './liveness.ts';
import { dropConcats, foldNorms, joinSmallNorms } from './norms.ts';
import { kernelOf } from './ops.ts';
import { foldLayerNorms } from './row-norms.ts';
import { assignSlots, PART_BYTES } from './slots.ts';

/** WebGPU's default maxStorageBufferBindingSize, which every device has. */
const DEFAULT_MAX_BINDING_BYTES = 2 ** 27;

export interface LowerOptions {
  /** Limits the named tensors that stay readable. @default all */
  readonly keep?: (name: string) => boolean;
  /** The device's maxStorageBufferBindingSize. @default the least that a device has */
  readonly maxBindingBytes?: number;
  /** Large tensors in bands even where they could be bound whole: less memory. @default true */
  readonly compact?: boolean;
}

export function lower(
  built: Graph,
  target: Target,
  {
    keep = () => true,
    maxBindingBytes = DEFAULT_MAX_BINDING_BYTES,
    compact = true,
  }: LowerOptions = {},
): Plan {
  const names = new Map([...built.names].filter(([name]) => keep(name)));
  const rewritten = rewrite({ ...built, names }, compact);
  const normed = target.family === 'cpu' ? rewritten : fewerNorms(rewritten, target, compact);
  const graph = chooseAlgorithms(band(normed, { maxBindingBytes, compact }), target);
  const constant = constantNodes(graph);
  const order = [
    ...graph.nodes.filter((node) => constant.has(node)),
    ...graph.nodes.filter((node) => !constant.has(node)),
  ];
  const { slots, slotOf } = assignSlots(lifetimes(graph, order, constant));
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
    kernel: withPath(node.path, () =>
      kernelOf(node.op, { ...node.inputs }, node.constants, target),
    ),
    inputs: Object.fromEntries(inputsOf(node).map(([name, t]) => [name, locate(t, node.path)])),
    output: locate(node.output, node.path),
  });

  const named = [...names].map(([name, { tensor, channels }]): [string, NamedTensor] => {
    const { dtype, shape } = tensor;
    return [name, { location: locate(tensor, name), type: { dtype, shape }, channels }];
  });
  return {
    slots,
    weights: [...graph.weights.values()],
    externals: externalTypes(graph),
    prepare: graph.nodes.filter((node) => constant.has(node)).map(dispatchOf),
    dispatches: graph.nodes.filter((node) => !constant.has(node)).map(dispatchOf),
    named: Object.fromEntries(named),
  };
}

/**
 * The same with fewer nodes, for any target; `compact` leaves those apart whose joint output would be
 * large.
 */
export function rewrite(graph: Graph, compact: boolean): Graph {
  return joinProjections(foldGates(fuse(graph)), compact ? PART_BYTES : Infinity);
}

/**
 * For GPUs. In bands a norm of a band's rows is cheap, and its reader shares the room of one band; of
 * rows, only the ALU's programs know the norm.
 */
function fewerNorms(graph: Graph, { matrix }: Target, compact: boolean): Graph {
  const small = dropConcats(joinSmallNorms(graph));
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

/** Runs a kernel factory; an error gets the layer's path in front and stays as `cause`. */
function withPath<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof Error) {
      const located = new Error(`${path}: ${cause.message}`, { cause });
      located.name = cause.name;
      throw located;
    }
    throw cause;
  }
}
