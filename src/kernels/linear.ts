/**
 * Linear layer: a matrix product with the epilogue fused.
 *
 *   y[m, n] = act(Σ over k of x[m, k] · weight[k, n] + bias[n]) + residual[m, n]
 *
 *   x         [..., K]   f16 or f32; all leading axes together are the rows m
 *   x2?       [..., K2]  like x, whose channels follow those of x: then weight is [K + K2, N]
 *   weight    [K, N]     f16 or f32, N contiguous
 *   bias?     [N]        f32
 *   residual? [..., N]   f16 or f32
 *   y         [..., N]   f16 or f32
 *
 * With stats [B, 2, K] and beta [K], or moments and affine (norm-groups.ts), x is normalized as
 * group-norm-apply.ts would; with gamma [K], columns [N] and rowEps, its rows as layer-norm.ts would
 * (row-norm.ts). One of these or x2, no two; but x2 beside x, each with its moments.
 *
 * Gated, a feed-forward block's first layer and its geglu in one: of every four columns (v0, v1, g0, g1)
 *
 *   y = (v0·gelu(g0), v1·gelu(g1))        [..., N / 2]
 *
 * K and N are multiples of 4, N of 8 if gated. 2·m·K·N operations, bound by arithmetic from some hundred
 * rows on, by reading weights below. The rows are laid out as an image and multiplied by a convolution
 * with one tap: see implicit-gemm.ts.
 */
import {
  type DType,
  expectShape,
  format,
  type Kernel,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
} from '../engine/kernel.ts';
import { type Activation, activate } from './epilogue.ts';
import {
  type ImplicitGemm,
  inputNorms,
  type NormConstants,
  type NormInputs,
  plainType,
} from './gemm-program.ts';
import { implicitGemm } from './implicit-gemm.ts';

export interface LinearInputs extends NormInputs {
  readonly x: TensorType;
  /** [..., K2], channels that follow those of x: weight is [K + K2, N]. */
  readonly x2?: TensorType | undefined;
  /** With columns = gamma·weight [N]: rows of x are layer-normalized, see row-norm.ts. */
  readonly gamma?: TensorType | undefined;
  readonly columns?: TensorType | undefined;
  readonly weight: TensorType;
  readonly bias?: TensorType | undefined;
  readonly residual?: TensorType | undefined;
}

export interface LinearConstants extends NormConstants {
  readonly activation?: Activation;
  /** With gamma. */
  readonly rowEps?: number;
  /** Storage of y. @default that of x */
  readonly dtype?: DType;
  /** Columns in pairs, values and gates in turn; without activation, residual and moments. @default false */
  readonly gated?: boolean;
  /** Channels per entry of y's moments, at most (moments.ts); x is [N, ..., K]. GPUs. @default no moments */
  readonly momentChannels?: number;
}

/** CPU programs compute four rows of pixels at first guess: docs/decisions/0008. */
const MIN_IMAGE_HEIGHT = 4;
/** A grid of several rows stays far from WebGPU's 65,535 workgroups in x. */
const MAX_IMAGE_WIDTH = 1024;

/** Rows as an image without a ragged edge, as far as they can be halved. */
function imageOfRows(rows: number): { height: number; width: number } {
  let width = rows;
  let height = 1;
  while (width % 2 === 0 && (height < MIN_IMAGE_HEIGHT || width > MAX_IMAGE_WIDTH)) {
    width /= 2;
    height *= 2;
  }
  return { height, width };
}

export const linear = (inputs: LinearInputs, constants: LinearConstants, target: Target): Kernel =>
  implicitGemm(linearGemm(inputs, constants), target);

/** The layer as a product over an image of its rows. */
export function linearGemm(
  { x, x2, weight, bias, residual, gamma, columns: sums, ...normInputs }: LinearInputs,
  {
    activation = 'none',
    rowEps,
    dtype = x.dtype,
    gated = false,
    momentChannels,
    ...normConstants
  }: LinearConstants,
): ImplicitGemm {
  const own = x.shape.at(-1) ?? 0;
  const inner = own + (x2?.shape.at(-1) ?? 0);
  const { plain, blocks } = plainType(weight, 2);
  const columns = plain.shape.at(-1) ?? 0;
  expectShape('weight', plain, [inner, columns]);
  if (gated && (columns % 8 !== 0 || residual || activation !== 'none' || momentChannels)) {
    throw new ShapeError(
      `weight is ${format(weight)}, gated columns are a multiple of 8 without activation, residual and moments`,
    );
  }
  const output: TensorType = {
    dtype,
    shape: [...x.shape.slice(0, -1), gated ? columns / 2 : columns],
  };
  if (x2) expectShape('x2', x2, [...x.shape.slice(0, -1), inner - own]);
  if (bias) expectShape('bias', bias, [columns]);
  if (residual) expectShape('residual', residual, output.shape);
  const rows = sizeOf(x.shape) / own;
  if (!(rows > 0)) throw new ShapeError(`x is ${format(x)}, expected at least one row`);

  if (gamma) expectShape('gamma', gamma, [inner]);
  if (sums) expectShape('columns', sums, [columns]);
  // load_input does one of these things.
  const { norm, groupNormed } = inputNorms(x, { x2, ...normInputs }, normConstants);
  const kinds = [groupNormed ? undefined : x2, norm, groupNormed, gamma];
  if (kinds.filter((kind) => kind !== undefined).length > 1) {
    throw new ShapeError(`x is ${format(x)}, with two of x2, stats, moments and gamma`);
  }
  // Each image has statistics of its own.
  const batch = norm || groupNormed || momentChannels ? (x.shape[0] ?? 1) : 1;
  const image = imageOfRows(rows / batch);
  return {
    name: 'linear',
    x,
    x2,
    norm,
    groupNormed,
    rowNorm:
      gamma && sums && rowEps !== undefined ? { gamma, columns: sums, eps: rowEps } : undefined,
    weight,
    blocks,
    epilogue: { bias, residual },
    activation: gated ? 'gelu' : activation,
    gated,
    output,
    momentChannels,
    batch,
    input: { ...image, channels: inner },
    pixels: image,
    channels: columns,
    taps: { y: 1, x: 1 },
    stride: 1,
    padding: { top: 0, left: 0 },
    phases: 1,
  };
}

export function linearReference(
  {
    x,
    weight,
    bias,
    residual,
    gamma,
    columns: columnSums,
  }: {
    x: Float32Array;
    weight: Float32Array;
    bias?: Float32Array | undefined;
    residual?: Float32Array | undefined;
    gamma?: Float32Array | undefined;
    columns?: Float32Array | undefined;
  },
  {
    inner,
    activation = 'none',
    gated = false,
    rowEps,
  }: {
    inner: number;
    activation?: Activation;
    gated?: boolean;
    rowEps?: number | undefined;
  },
): Float32Array {
  const columns = weight.length / inner;
  const rows = x.length / inner;
  const y = new Float32Array(rows * columns);
  const sums = new Float64Array(columns);
  for (let m = 0; m < rows; m++) {
    sums.fill(0);
    let [mean, rstd] = [0, 1];
    if (rowEps !== undefined) {
      const row = Float64Array.from(x.subarray(m * inner, (m + 1) * inner));
      mean = row.reduce((sum, v) => sum + v / inner, 0);
      rstd = 1 / Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2 / inner, rowEps));
    }
    for (let k = 0; k < inner; k++) {
      const a = (x[m * inner + k] ?? 0) * (gamma?.[k] ?? 1);
      for (let n = 0; n < columns; n++)
        sums[n] = (sums[n] ?? 0) + a * (weight[k * columns + n] ?? 0);
    }
    for (let n = 0; n < columns; n++) {
      const i = m * columns + n;
      const sum = ((sums[n] ?? 0) - mean * (columnSums?.[n] ?? 0)) * rstd;
      y[i] = activate(activation, sum + (bias?.[n] ?? 0)) + (residual?.[i] ?? 0);
    }
  }
  if (!gated) return y;
  return Float32Array.from({ length: rows * (columns / 2) }, (_, i) => {
    const at = 2 * i - (i % 2);
    return (y[at] ?? 0) * activate('gelu', y[at + 2] ?? 0);
  });
}
