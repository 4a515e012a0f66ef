/** Every op a graph may contain and the kernel factory it lowers to: those below, and those of kernels/rare-ops.ts. */
import {
  format,
  type Kernel,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
} from '../engine/kernel.ts';
import { NotLoadedError } from '../engine/on-demand.ts';
import { affine } from '../kernels/affine.ts';
import { attention } from '../kernels/attention.ts';
import { concat } from '../kernels/concat.ts';
import { conv2d } from '../kernels/conv2d.ts';
import { groupNorm } from '../kernels/group-norm.ts';
import { linear } from '../kernels/linear.ts';
import { normalNoise } from '../kernels/normal-noise.ts';
import { rareOps } from '../kernels/on-demand.ts';
import { posterior } from '../kernels/posterior.ts';
import { reflectPad } from '../kernels/reflect-pad.ts';
import { bicubic, bicubicAntialias } from '../kernels/resize.ts';
import { blendTile, cropTiles } from '../kernels/tiles.ts';
import { timestepEmbedding } from '../kernels/timestep-embedding.ts';
import { upsampleConv2d } from '../kernels/upsample-conv2d.ts';
import { waveletLow } from '../kernels/wavelet-low.ts';
import type { Node, Tensor } from './graph.ts';

const COMMON = {
  affine,
  attention,
  bicubic,
  bicubicAntialias,
  blendTile,
  concat,
  conv2d,
  cropTiles,
  groupNorm,
  linear,
  normalNoise,
  posterior,
  reflectPad,
  timestepEmbedding,
  upsampleConv2d,
  waveletLow,
} as const;

type Ops = typeof COMMON & ReturnType<typeof rareOps.get>;
export type OpName = keyof Ops;
type Factory<K extends OpName> = Ops[K];

/** The op's inputs with tensors in place of types. */
export type OpInputs<K extends OpName> = {
  readonly [Name in keyof Parameters<Factory<K>>[0]]: undefined extends Parameters<
    Factory<K>
  >[0][Name]
    ? Tensor | undefined
    : Tensor;
};
/** `{}` for ops without constants. */
export type OpConstants<K extends OpName> = Parameters<Factory<K>>[1] extends undefined
  ? Readonly<Record<string, never>>
  : Parameters<Factory<K>>[1];

/**
 * The kernel of one op. The tables pair op and arguments; TypeScript cannot follow that pairing.
 * NotLoadedError: kernels/on-demand.ts.
 */
export function kernelOf(
  op: OpName,
  inputs: Readonly<Record<string, TensorType | undefined>>,
  constants: unknown,
  target: Target,
): Kernel {
  const ops: Partial<Ops> = op in COMMON ? COMMON : rareOps.get();
  const factory = ops[op] as unknown as (i: unknown, c: unknown, t: Target) => Kernel;
  return factory(inputs, constants, target);
}

/**
 * The same of a node, whose output has the room that the kernel fills: where a device does not clamp
 * (decisions/0005), a mistake here would write into other tensors. An error gets the layer's path in front
 * and stays as `cause`.
 */
export function kernelOfNode(node: Node, target: Target): Kernel {
  const { op, path, inputs, constants } = node;
  try {
    const kernel = kernelOf(op, { ...inputs }, constants, target);
    expectRoom('output', kernel.output.type, node.output);
    if (node.moments) expectRoom('moments', kernel.moments?.type, node.moments);
    return kernel;
  } catch (cause) {
    if (!(cause instanceof Error) || cause instanceof NotLoadedError) throw cause;
    const located = new Error(`${path}: ${cause.message}`, { cause });
    located.name = cause.name;
    throw located;
  }
}

/** Elements and their size; bands and reshapes give the same ones other shapes. */
function expectRoom(what: string, made: TensorType | undefined, room: TensorType): void {
  if (made?.dtype === room.dtype && sizeOf(made.shape) === sizeOf(room.shape)) return;
  throw new ShapeError(
    `its ${what} is ${format(room)}, the kernel gives ${made ? format(made) : 'none'}`,
  );
}
