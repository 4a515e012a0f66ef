/**
 * The weights of a PyTorch checkpoint (`torch.save`; .pth, .pt): names, shapes and types now, bytes
 * on demand. Reading one runs no code of its: see pickle.ts.
 */
import { CheckpointError } from './error.ts';
import { DTYPE_BITS, type Fail, type FileDType } from './safetensors-header.ts';
import type { ByteSource } from './source.ts';
import { tensorBytes, weightsOf } from './state-dict.ts';
import { readStrided } from './strided.ts';
import { openTorchFile } from './torch-file.ts';

/** One tensor of a checkpoint file of either kind. */
export interface StoredTensor {
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Some bytes of it, by their place in row-major order. */
  part(begin: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** The same into the caller's memory, where the bytes are a range of a file. */
  fill?(begin: number, target: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<void>;
}

/** The tensors of a checkpoint, by the name the model gives them. The source stays open. */
export async function readTorch(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, StoredTensor>> {
  const fail: Fail = (what) => {
    throw new CheckpointError(`${source.name}: ${what}`);
  };
  const file = await openTorchFile(source, signal);
  const result = new Map<string, StoredTensor>();
  for (const [name, tensor] of weightsOf(file.root, await source.size(), fail)) {
    const { storage, dtype, offset, shape, stride } = tensor;
    file.expect(storage);
    const bytes = tensorBytes(tensor);
    const elementBytes = DTYPE_BITS[dtype] / 8;
    const part: StoredTensor['part'] = async (begin, length, asked) => {
      const start = (await file.locate(storage, asked)) + offset * elementBytes;
      const view = { shape, stride, start, bytes, elementBytes };
      return readStrided(source, view, { begin, length }, asked);
    };
    result.set(name, { dtype, shape, bytes, part });
  }
  return result;
}
