/** Inputs of benched kernels: normal noise, as activations and weights are; index tensors are zero. */
import type { TensorType } from '../src/engine/kernel.ts';
import { byteLength, sizeOf } from '../src/engine/kernel.ts';
import { bufferSize } from '../src/engine/allocator.ts';
import { toHalf } from '../src/weights/half.ts';
import type { BenchCase } from './cases.ts';
import { normal } from './random.ts';

/** Drawn once and repeated: a million draws take a tenth of a second. A prime, so that rows differ. */
const PERIOD = 65_521;

/** Whole words, as buffers are. */
export function inputBytes(
  { name, type, seed }: { readonly name: string; readonly type: TensorType; readonly seed: number },
  data?: BenchCase['data'],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bufferSize(byteLength(type)));
  const given = data?.(name, type, seed);
  const length = sizeOf(type.shape);
  if (type.dtype === 'u32' && !given) return bytes;
  const values = given ?? normal(Math.min(length, PERIOD), seed);
  const stored = type.dtype === 'f16' ? toHalf(values as Float32Array) : values;
  const pattern = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  for (let at = 0; at < byteLength(type); at += pattern.length) {
    bytes.set(pattern.subarray(0, Math.min(pattern.length, bytes.length - at)), at);
  }
  return bytes;
}
