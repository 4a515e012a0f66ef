/**
 * A Plan: the immutable, printable recipe that the executor replays. Plain data, JSON-able but for
 * the WGSL text, no GPU objects. Made by graph/lower.ts.
 */
import { type Blocks, byteLength, type Kernel, type TensorType } from './kernel.ts';

/** Where a tensor lives while the plan runs. */
export type Location =
  /** A reusable activation buffer, `Plan.slots[index]`. */
  | ({ readonly kind: 'slot'; readonly index: number } & Range)
  /** A constant, `Plan.weights[index]`, uploaded once. */
  | { readonly kind: 'weight'; readonly index: number }
  /** A buffer the caller passes to `run`, by name. */
  | ({ readonly kind: 'external'; readonly name: string } & Range);

/** What a binding covers of its buffer. */
export interface Range {
  /** In bytes, a multiple of minStorageBufferOffsetAlignment. Present in windows on a larger tensor. */
  readonly offset?: number;
  /** @default those of the slot or the external */
  readonly bytes?: number;
}

export interface Dispatch {
  /** Layer path, e.g. `unet.down_blocks.0.resnets.0.conv1`. */
  readonly path: string;
  readonly kernel: Kernel;
  /** Input name → where it is bound from; same keys as `kernel.bindings`. */
  readonly inputs: Readonly<Record<string, Location>>;
  readonly output: Location;
  /** Of the kernel's second output, if it has one. */
  readonly moments?: Location;
}

/** A weight as the kernels read it: the checkpoint's tensor after `layout`, then cut into `blocks`. */
export interface PlanWeight {
  /** File-qualified name, e.g. `unet/conv_in.weight`; those of all parts where there are some. */
  readonly key: string;
  /** Conversion from the checkpoint's layout, a name of weights/layout.ts. */
  readonly layout: string;
  /** After `layout`; that of the tensor that kernels read shows the blocks, too. */
  readonly type: TensorType;
  /** Where all its readers are products that want them: see graph/pack.ts. */
  readonly blocks?: Blocks;
  /** Tensors whose columns lie side by side in this one; see graph/weight-parts.ts. */
  readonly parts?: readonly { readonly key: string; readonly columns: number }[];
  /** The columns of both halves in turn, two by two. */
  readonly paired?: boolean;
}

export interface NamedTensor {
  readonly location: Location;
  readonly type: TensorType;
  /** Channels that mean something; the last axis is padded to a multiple of 4. */
  readonly channels: number;
}

/** One activation buffer that several tensors share in turn. */
export interface Slot {
  readonly bytes: number;
  /** Holds a result of `prepare` or a named tensor: never shared, not even between plans. */
  readonly persistent: boolean;
}

export interface Plan {
  readonly slots: readonly Slot[];
  readonly weights: readonly PlanWeight[];
  /** Buffers the caller binds at `run`: the plan's inputs and its outputs. */
  readonly externals: Readonly<Record<string, TensorType>>;
  /** Run once after the weights are there: everything that depends on weights and constants only. */
  readonly prepare: readonly Dispatch[];
  /** Run for every call. */
  readonly dispatches: readonly Dispatch[];
  /** Tensors kept readable after `run`, by name: what --dump and the golden tests read. */
  readonly named: Readonly<Record<string, NamedTensor>>;
}

/** All of them, in their order. */
export const dispatchesOf = ({ prepare, dispatches }: Plan): Dispatch[] => [
  ...prepare,
  ...dispatches,
];

export const totalFlops = (dispatches: readonly Dispatch[]): number =>
  dispatches.reduce((sum, { kernel }) => sum + kernel.cost.flops, 0);

export const slotBytes = (plan: Plan): number =>
  plan.slots.reduce((sum, slot) => sum + slot.bytes, 0);

export const weightBytes = (plan: Plan): number =>
  plan.weights.reduce((sum, { type }) => sum + byteLength(type), 0);
