/**
 * Numbers of the official InvSR code, as scripts/pick-goldens.mjs stored them.
 *
 *   const golden = await openGolden('networks/unet');
 *   golden.at('t199.eps')          // { shape: [1, 4, 16, 16], data: Float32Array } — NCHW
 *   golden.at('samples.act.x')     // 4096 elements of a large tensor; `shape` is the whole one's
 *
 * Tensors stored as F16 because they lose nothing by it come back as f32.
 */
import { fileURLToPath } from 'node:url';
import { bf16ToSingle, toSingle } from '../../src/weights/half.ts';
import { fileSource } from '../../src/weights/node-file.ts';
import type { FileDType } from '../../src/weights/safetensors-header.ts';
import { readHeader } from '../../src/weights/safetensors.ts';
import { readTensor } from '../../src/weights/tensor-reads.ts';

export type GoldenData =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | BigInt64Array;

export interface GoldenTensor<Data = GoldenData> {
  readonly shape: readonly number[];
  readonly data: Data;
}

export interface Golden {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, GoldenTensor>;
  has(name: string): boolean;
  /** Throws with the names at hand. */
  at(name: string): GoldenTensor;
  /** `at` for a tensor of floats. */
  f32(name: string): GoldenTensor<Float32Array>;
}

export const goldenPath = (name: string): string =>
  fileURLToPath(new URL(`../golden/data/${name}`, import.meta.url));

export async function openGolden(name: string): Promise<Golden> {
  const { tensors, metadata } = await load(name);
  const { base, inherits } = metadata;
  if (base !== undefined && inherits !== undefined) {
    const inherited = (await load(base)).tensors;
    for (const key of JSON.parse(inherits) as string[]) tensors.set(key, inherited.get(key)!);
  }
  const at = (key: string): GoldenTensor => {
    const tensor = tensors.get(key);
    if (!tensor)
      throw new Error(`golden ${name} has no ${key}; it has ${[...tensors.keys()].join(', ')}`);
    return tensor;
  };
  return {
    metadata,
    tensors,
    has: (key) => tensors.has(key),
    at,
    f32: (key) => {
      const { shape, data } = at(key);
      if (!(data instanceof Float32Array)) throw new Error(`golden ${name}: ${key} is not f32`);
      return { shape, data };
    },
  };
}

async function load(name: string) {
  const source = await fileSource(goldenPath(`${name}.safetensors`));
  try {
    const { tensors: index, metadata } = await readHeader(source);
    const tensors = new Map<string, GoldenTensor>();
    for (const [key, entry] of index) {
      const whole = metadata[`shape.${key.replace(/^samples\./, '')}`];
      tensors.set(key, {
        shape: whole === undefined ? entry.shape : (JSON.parse(whole) as number[]),
        data: typed(entry.dtype, (await readTensor(source, entry)).buffer),
      });
    }
    return { tensors, metadata };
  } finally {
    await source.close();
  }
}

function typed(dtype: FileDType, buffer: ArrayBuffer): GoldenData {
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return toSingle(new Uint16Array(buffer));
    case 'BF16':
      return bf16ToSingle(new Uint16Array(buffer));
    case 'F64':
      return new Float64Array(buffer);
    case 'I32':
      return new Int32Array(buffer);
    case 'I64':
      return new BigInt64Array(buffer);
    case 'U16':
      return new Uint16Array(buffer);
    case 'U8':
      return new Uint8Array(buffer);
    default:
      throw new Error(`golden of dtype ${dtype}`);
  }
}

/** The elements of `whole` that a `samples.` tensor of `count` elements holds. */
export const samplesOf = (whole: Float32Array, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, j) => {
    // j · 2654435761 exceeds 2^53: as big integers
    return whole[Number((BigInt(j) * 2_654_435_761n) % BigInt(whole.length))]!;
  });

/** NCHW → NHWC with the channels padded to a multiple of 4: as the engine stores it. */
export function toNhwc({ shape, data }: GoldenTensor<Float32Array>): GoldenTensor<Float32Array> {
  const [n = 1, c = 1, h = 1, w = 1] = shape;
  const stride = Math.ceil(c / 4) * 4;
  const result = new Float32Array(n * h * w * stride);
  for (let i = 0; i < data.length; i++) {
    const pixel = i % (h * w);
    const channel = Math.floor(i / (h * w)) % c;
    const image = Math.floor(i / (h * w * c));
    result[(image * h * w + pixel) * stride + channel] = data[i]!;
  }
  return { shape: [n, h, w, stride], data: result };
}

/** NHWC with padded channels → NCHW with `channels`: as the goldens are. */
export function toNchw(
  { shape, data }: GoldenTensor<Float32Array>,
  channels: number,
): GoldenTensor<Float32Array> {
  const [n = 1, h = 1, w = 1, stride = 1] = shape;
  const result = new Float32Array(n * channels * h * w);
  for (let i = 0; i < result.length; i++) {
    const pixel = i % (h * w);
    const channel = Math.floor(i / (h * w)) % channels;
    const image = Math.floor(i / (h * w * channels));
    result[i] = data[(image * h * w + pixel) * stride + channel]!;
  }
  return { shape: [n, channels, h, w], data: result };
}
