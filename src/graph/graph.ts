/**
 * The Graph: ops over typed tensors, in execution order. Plain data, no GPU memory, no weights' bytes.
 * One node becomes one kernel, hence one dispatch.
 */
import type { PlanWeight } from '../engine/plan.ts';
import type { TensorType } from '../engine/kernel.ts';
import type { OpConstants, OpInputs, OpName } from './ops.ts';

/**
 * A value: a type and the identity of its storage. `reshape` gives another type of the same `id`.
 */
export interface Tensor extends TensorType {
  readonly id: number;
  /** Only some bytes of the storage, from `offset` on, which as a whole has type `whole`; see band.ts. */
  readonly window?: { readonly offset: number; readonly whole: TensorType };
}

/** The type of a tensor's whole storage. */
export const wholeOf = (tensor: Tensor): TensorType => tensor.window?.whole ?? tensor;

/** An op placed in a graph; `Node<'conv2d'>` has that op's inputs and constants. */
export type Node<K extends OpName = OpName> = {
  [Op in K]: {
    readonly op: Op;
    /** Layer path, e.g. `unet.down_blocks.0.resnets.0.conv1`. */
    readonly path: string;
    readonly inputs: OpInputs<Op>;
    readonly constants: OpConstants<Op>;
    readonly output: Tensor;
    /** A second output: moments of the first one's values, see statistics.ts. */
    readonly moments?: Tensor;
  };
}[K];

/** A tensor to keep readable after a run, and how many of its channels mean something. */
export interface Name {
  readonly tensor: Tensor;
  readonly channels: number;
}

export interface Graph {
  readonly nodes: readonly Node[];
  /** Constants from a checkpoint, by tensor id. */
  readonly weights: ReadonlyMap<number, PlanWeight>;
  /** Tensors that live in a caller's buffer, by tensor id: inputs, outputs and accumulators. */
  readonly externals: ReadonlyMap<number, string>;
  readonly names: ReadonlyMap<string, Name>;
}

/** The tensors a node reads. Optional inputs that are absent do not appear. */
export function inputsOf(node: Node): [name: string, tensor: Tensor][] {
  return Object.entries(node.inputs).filter(
    (entry): entry is [string, Tensor] => entry[1] !== undefined,
  );
}

/** The tensors a node writes. */
export const outputsOf = ({ output, moments }: Node): Tensor[] =>
  moments ? [output, moments] : [output];

/** Gives ids that no tensor of the graph has, a new one at every call. */
export function newIds({ nodes, weights, externals }: Graph): () => number {
  const used = nodes.flatMap((node) => [...outputsOf(node), ...inputsOf(node).map(([, t]) => t)]);
  let last = -1;
  for (const { id } of used) last = Math.max(last, id);
  for (const id of [...weights.keys(), ...externals.keys()]) last = Math.max(last, id);
  return () => ++last;
}
