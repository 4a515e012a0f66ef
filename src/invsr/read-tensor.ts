/** Tensors of a run read back: for dumps, checks and measurements, which no picture needs. */
import { byteLength, type TensorType } from '../engine/kernel.ts';
import { readBuffer } from '../engine/readback.ts';
import { toSingle } from '../weights/half.ts';
import type { HeldTensor } from './runner.ts';

interface ReadTensor {
  readonly bytes: ArrayBuffer;
  readonly type: TensorType;
}

export const readTensor = async (
  device: GPUDevice,
  { buffer, type }: HeldTensor,
): Promise<ReadTensor> => ({ bytes: await readBuffer(device, buffer, byteLength(type)), type });

/** The values of an f16 or f32 tensor. */
export const valuesOf = ({ bytes, type }: ReadTensor): Float32Array<ArrayBuffer> =>
  type.dtype === 'f16' ? toSingle(new Uint16Array(bytes)) : new Float32Array(bytes);
