/**
 * What implicit-gemm.ts asks of its programs, one per family of targets.
 */
import {
  type Blocks,
  type Choice,
  expectShape,
  format,
  ShapeError,
  type TensorType,
} from '../engine/kernel.ts';
import type { Activation } from './epilogue.ts';
import { expectGroups, type GroupNormed } from './norm-groups.ts';

/** Present in any combination; y = act(sum + bias + shift) + residual. */
export interface EpilogueInputs {
  /** [Co] f32 */
  readonly bias?: TensorType | undefined;
  /** [N or 1, Co] f32 */
  readonly shift?: TensorType | undefined;
  /** Like the output, of either storage type. */
  readonly residual?: TensorType | undefined;
}

/** x is normalized as it is read: act((x - mean)·scale + beta). Zero padding stays zero. */
export interface InputNorm {
  /** [N, 2, Ci] f32: mean, then scale, of each channel */
  readonly stats: TensorType;
  /** [Ci] f32 */
  readonly beta: TensorType;
  readonly activation: Activation;
}

/** Rows of x are layer-normalized: see row-norm.ts. Programs of the family `alu` know how. */
export interface RowNorm {
  /** [Ci] f32 */
  readonly gamma: TensorType;
  /** γ·W, [Co] f32 */
  readonly columns: TensorType;
  readonly eps: number;
}

export interface ImplicitGemm {
  readonly name: string;
  readonly x: TensorType;
  /** Channels that follow those of x, of the same pixels and storage; `input.channels` counts both. */
  readonly x2?: TensorType | undefined;
  readonly norm?: InputNorm | undefined;
  /** Instead of norm, where the program makes the statistics itself. Programs for GPUs know how. */
  readonly groupNormed?: GroupNormed | undefined;
  readonly rowNorm?: RowNorm | undefined;
  /** [phases, taps y, taps x, Ci, Co] in memory. */
  readonly weight: TensorType;
  /** weight lies in such blocks (blocks.ts), which programs on subgroup matrices of their shape know. */
  readonly blocks?: Blocks | undefined;
  readonly epilogue: EpilogueInputs;
  readonly activation: Activation;
  /** Of every four columns the first two are multiplied by act of the others: half as many remain. */
  readonly gated?: boolean;
  readonly output: TensorType;
  /** Channels per entry of the output's moments (moments.ts), at most. Programs for GPUs know how. */
  readonly momentChannels?: number | undefined;
  readonly batch: number;
  readonly input: { readonly height: number; readonly width: number; readonly channels: number };
  /** Output pixels of one phase. */
  readonly pixels: { readonly height: number; readonly width: number };
  readonly channels: number;
  readonly taps: { readonly y: number; readonly x: number };
  readonly stride: number;
  readonly padding: { readonly top: number; readonly left: number };
  /** With 4, phase (py, px) reads from pixel (py, px) on and writes pixels (2y + py, 2x + px). */
  readonly phases: 1 | 4;
  /**
   * Parts of the inner dimension whose sums are stored apart, as images: output image
   * part · batch + n. They are sums only: no epilogue. Programs for GPUs know how.
   */
  readonly splits?: number;
  /** Every image is multiplied by weights of its own: [batch, taps y, taps x, Ci, Co]. */
  readonly weightsPerImage?: boolean;
}

/** How one family of targets computes the sums. */
export interface Program {
  /** The `enable` directives of its own. */
  readonly enables: string;
  /** The binding of weight, and `main`: from `initial` to `finish` for every four columns of a pixel. */
  readonly wgsl: string;
  /** Output columns of one workgroup, a multiple of 4. */
  readonly columns: number;
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** What moments of the output would be of: so many chunks of each phase, entries that divide so many channels. */
  readonly momentTiles?: { readonly chunks: number; readonly channels: number };
  /** Where the family has several designs. */
  readonly choice?: Choice;
}

export const WEIGHT_BINDING = 2;

/** With `splits`: the workgroup's part, its area, and `out`, the area whose image the sums go to. */
export const SPLIT_AREA = `  let part = workgroup.z % params.splits;
  let area = area_of(workgroup.z / params.splits);
  var out = area;
  out.image += part * params.batch;`;

/** Inputs and constants of an op that normalizes x as it reads it. */
export interface NormInputs {
  /** With beta: x is normalized as it is read, as groupNormApply would. */
  readonly stats?: TensorType | undefined;
  readonly beta?: TensorType | undefined;
  /** With affine: the same from moments of x (and of x2), see norm-groups.ts. GPUs. */
  readonly moments?: TensorType | undefined;
  readonly moments2?: TensorType | undefined;
  readonly affine?: TensorType | undefined;
}

export interface NormConstants {
  /** Of x's norm, if it has one. @default 'none' */
  readonly normActivation?: Activation;
  /** With moments. */
  readonly normGroups?: number;
  readonly normEps?: number;
}

/** The norm of x [N, ..., Ci], and x2 beside it, from an op's inputs and constants, of one kind or the other. */
export function inputNorms(
  x: TensorType,
  { x2, moments, moments2, affine, ...stats }: NormInputs & Pick<ImplicitGemm, 'x2'>,
  { normActivation: activation = 'none', normGroups: groups, normEps: eps }: NormConstants,
): Pick<ImplicitGemm, 'norm' | 'groupNormed'> {
  if (!moments || !affine || groups === undefined || eps === undefined) {
    return { norm: inputNorm(x, stats, activation) };
  }
  const [batch = 0] = x.shape;
  const [channels, others] = [x.shape.at(-1) ?? 0, x2?.shape.at(-1) ?? 0];
  expectGroups({ moments, moments2, groups }, { batch, channels, others });
  if ((x2 === undefined) !== (moments2 === undefined)) {
    throw new ShapeError(`x is ${format(x)}, with one of x2 and moments2`);
  }
  expectShape('affine', affine, [2 * (channels + others)]);
  return { groupNormed: { moments, moments2, affine, groups, eps, activation } };
}

/** The norm of x [N, ..., Ci] from an op's inputs; undefined without them. */
export function inputNorm(
  x: TensorType,
  {
    stats,
    beta,
  }: { readonly stats?: TensorType | undefined; readonly beta?: TensorType | undefined },
  activation: Activation = 'none',
): InputNorm | undefined {
  if (!stats || !beta) return undefined;
  const [batch = 0] = x.shape;
  const channels = x.shape.at(-1) ?? 0;
  expectShape('stats', stats, [batch, 2, channels]);
  expectShape('beta', beta, [channels]);
  return { stats, beta, activation };
}

/** A weight that has `rank` axes where it is plain: its plain type, and the blocks (blocks.ts) that it lies in. */
export function plainType(
  weight: TensorType,
  rank: number,
): { readonly plain: TensorType; readonly blocks?: Blocks } {
  const { dtype, shape } = weight;
  if (shape.length !== rank + 2) return { plain: weight };
  const [down = 0, across = 0, k = 0, n = 0] = shape.slice(-4);
  return {
    plain: { dtype, shape: [...shape.slice(0, -4), down * k, across * n] },
    blocks: { k, n },
  };
}
