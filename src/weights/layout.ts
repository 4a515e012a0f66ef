/**
 * Checkpoint layout → kernel layout, one tensor at a time.
 *
 *   layout   checkpoint                    kernel
 *   vector   [C]                           [C]                     always f32
 *   linear   [N, K] or [N, K, 1, 1]        [K, N]
 *   conv     [O, I, KH, KW]                [KH, KW, I, O]
 *   phase    [O, I, 3, 3]                  [2, 2, 2, 2, I, O]      see phase-weights.ts
 *   rows     [..., C]                      [..., C]
 *
 * Channel axes (C, N, K, I, O) are padded with zeros to multiples of 4. `linear` and `conv` are one
 * transposition of [O, I·T] whose destination rows are reordered (T taps; T = 1 for `linear`), so
 * f16 → f16 moves 16-bit words and never converts numbers.
 *
 * Typed arrays take the host's byte order; WebGPU and every platform it runs on are little-endian.
 */
import type { Shape, TensorType } from '../engine/kernel.ts';
import { CheckpointError } from './error.ts';
import { bf16ToSingle, toHalf, toSingle } from './half.ts';
import { phaseWeights } from './phase-weights.ts';
import type { FileDType } from './safetensors-header.ts';
import { pad4, transposeRows } from './transpose.ts';

export type Layout = 'vector' | 'linear' | 'conv' | 'phase' | 'rows';
/** How the kernels store weights. */
export type WeightDType = 'f16' | 'f32';

export interface RawTensor {
  /** For messages, e.g. `unet/conv_in.weight`. */
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: Shape;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The type that `convert` gives a tensor of `shape`; known without the data. `name`: for messages. */
export function layoutType(
  layout: Layout,
  dtype: WeightDType,
  shape: Shape,
  name: string = layout,
): TensorType {
  switch (layout) {
    case 'vector': {
      const [c] = axes(name, shape, shape.length === 1, '[C]');
      return { dtype: 'f32', shape: [pad4(c)] };
    }
    case 'linear': {
      const ok = shape.length === 2 || (shape.length === 4 && shape[2] === 1 && shape[3] === 1);
      const [n, k] = axes(name, shape, ok, '[N,K] or [N,K,1,1]');
      return { dtype, shape: [pad4(k), pad4(n)] };
    }
    case 'conv': {
      const [o, i, kh, kw] = axes(name, shape, shape.length === 4, '[O,I,KH,KW]');
      return { dtype, shape: [kh, kw, pad4(i), pad4(o)] };
    }
    case 'phase': {
      const ok = shape.length === 4 && shape[2] === 3 && shape[3] === 3;
      const [o, i] = axes(name, shape, ok, '[O,I,3,3]');
      return { dtype, shape: [2, 2, 2, 2, pad4(i), pad4(o)] };
    }
    case 'rows': {
      axes(name, shape, shape.length > 0, '[...,C]');
      return { dtype, shape: [...shape.slice(0, -1), pad4(shape.at(-1) ?? 0)] };
    }
  }
}

type FourAxes = readonly [number, number, number, number];

function axes(name: string, shape: Shape, ok: boolean, expected: string): FourAxes {
  if (!ok)
    throw new CheckpointError(`${name}: shape is [${shape.join(',')}], expected ${expected}`);
  return [shape[0] ?? 1, shape[1] ?? 1, shape[2] ?? 1, shape[3] ?? 1];
}

/** The tensor's bytes as the kernels read them: `byteLength(layoutType(...))`, a multiple of 4. */
export function convert(
  layout: Layout,
  dtype: WeightDType,
  tensor: RawTensor,
): Uint8Array<ArrayBuffer> {
  const { shape } = tensor;
  switch (layout) {
    case 'vector':
      return bytesOf(padRows(toF32(tensor), 1, shape[0] ?? 1));
    case 'rows': {
      const channels = shape.at(-1) ?? 1;
      const values = dtype === 'f16' ? toF16(tensor) : toF32(tensor);
      return bytesOf(padRows(values, values.length / Math.max(1, channels), channels));
    }
    case 'linear':
    case 'conv':
      return bytesOf(transpose(dtype === 'f16' ? toF16(tensor) : toF32(tensor), shape));
    case 'phase': {
      const values = transpose(toF32(tensor), shape);
      const phases = phaseWeights(values, pad4(shape[1] ?? 1), pad4(shape[0] ?? 1));
      return bytesOf(dtype === 'f16' ? round(tensor.name, phases) : phases);
    }
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Words): Uint8Array<ArrayBuffer> =>
  new Uint8Array(buffer, byteOffset, byteLength);

type Words = Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** f16 bits; the tensor's own when it is F16 already. */
export function toF16(tensor: RawTensor): Uint16Array<ArrayBuffer> {
  if (tensor.dtype !== 'F16') return round(tensor.name, toF32(tensor));
  const { buffer, byteOffset, byteLength } = aligned(tensor.bytes, 2);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

/** Types that `convert` takes. */
export const CONVERTIBLE: ReadonlySet<FileDType> = new Set(['F16', 'BF16', 'F32', 'F64']);

/** A tensor's values as numbers. */
export function toF32({ name, dtype, bytes }: Omit<RawTensor, 'shape'>): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 8);
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'F16':
      return toSingle(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case 'BF16':
      return bf16ToSingle(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8));
    default:
      throw new CheckpointError(`${name} is ${dtype}, expected ${[...CONVERTIBLE].join(', ')}`);
  }
}

/** A copy when the bytes do not begin at a multiple of `size`, as in a subarray of a file. */
export const aligned = (bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> =>
  bytes.byteOffset % size === 0 ? bytes : bytes.slice();

function round(name: string, values: Float32Array): Uint16Array<ArrayBuffer> {
  const half = toHalf(values);
  for (let i = 0; i < half.length; i++) {
    if (((half[i] ?? 0) & 0x7fff) === 0x7c00) {
      throw new CheckpointError(
        `${name}: element ${i} is ${values[i]}, f16 ends at ±65504; the weights are damaged or need f32`,
      );
    }
  }
  return half;
}

/** Rows of `channels` elements, each padded to a multiple of 4. */
function padRows<T extends Words>(values: T, rows: number, channels: number): T {
  const stride = pad4(channels);
  if (stride === channels) return values;
  const padded = sameKind(values, rows * stride);
  for (let r = 0; r < rows; r++) {
    padded.set(values.subarray(r * channels, (r + 1) * channels), r * stride);
  }
  return padded;
}

const sameKind = <T extends Words>(like: T, length: number): T =>
  (like instanceof Uint16Array ? new Uint16Array(length) : new Float32Array(length)) as T;

/** [O, I, ...taps] → [...taps, pad4(I), pad4(O)]. */
function transpose<T extends Words>(values: T, [o = 1, i = 1, ...spatial]: Shape): T {
  const taps = spatial.reduce((n, d) => n * d, 1);
  const result = sameKind(values, taps * pad4(i) * pad4(o));
  const shape = { first: 0, rows: o, outputs: o, inputs: i, taps };
  transposeRows(asIntegers(values), asIntegers(result), shape);
  return result;
}

/** Loads and stores of f32 words through a float view may quiet a signalling NaN. */
const asIntegers = (values: Words): Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer> =>
  values instanceof Uint16Array
    ? values
    : new Uint32Array(values.buffer, values.byteOffset, values.length);
