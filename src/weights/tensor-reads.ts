/** Tensors of checkpoints as a whole, in part and in pieces: for whoever has them without a device. */
import type { CheckpointTensor } from './checkpoint.ts';
import { CheckpointError, grouped } from './error.ts';
import type { RawTensor } from './layout.ts';
import type { StoredTensor } from './pth.ts';
import type { FileDType } from './safetensors-header.ts';
import { readHeader, stored, type TensorEntry } from './safetensors.ts';
import type { ByteSource } from './source.ts';

/** Dtypes with a plain typed-array (or half.ts) reading; the others are refused. */
const READABLE = new Set<FileDType>([
  'BOOL',
  'U8',
  'I8',
  'I16',
  'U16',
  'F16',
  'BF16',
  'I32',
  'U32',
  'F32',
  'I64',
  'U64',
  'F64',
]);

/** CheckpointError where nothing here can make numbers of the tensor. */
export function expectReadable(where: string, name: string, { dtype }: CheckpointTensor): void {
  if (READABLE.has(dtype)) return;
  throw new CheckpointError(
    `${where}: ${name} is ${dtype}, which cannot be read; convert it to F16 or F32`,
  );
}

/** The largest piece of a tensor that is held at once. */
export const CHUNK_BYTES = 16 * 1024 * 1024;

/** A tensor's bytes, of any type, in pieces of whole rows (first axis), at most 16 MiB unless one row is more. */
export async function* chunksOf(
  tensor: Pick<StoredTensor, 'shape' | 'bytes' | 'part'>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { shape, bytes } = tensor;
  if (bytes === 0) return;
  const row = bytes / (shape[0] ?? 1);
  const step = row * Math.max(1, Math.floor(CHUNK_BYTES / row));
  for (let at = 0; at < bytes; at += step) {
    yield await tensor.part(at, Math.min(step, bytes - at), signal);
  }
}

/** `length` of a tensor's bytes from `begin`: some rows of a table that is not needed whole. `what`: for messages. */
export async function readPart(
  what: string,
  tensor: StoredTensor,
  { begin, length }: { readonly begin: number; readonly length: number },
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (begin + length <= tensor.bytes) return tensor.part(begin, length, signal);
  throw new CheckpointError(
    `${what} has ${grouped(tensor.bytes)} bytes, asked for ${length} from ${begin}`,
  );
}

/** All bytes of a tensor of a safetensors file, little-endian, aligned to 8. */
export async function readTensor(
  source: ByteSource,
  entry: TensorEntry,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  expectReadable(source.name, entry.name, entry);
  const whole = new Uint8Array(entry.bytes);
  let at = 0;
  for await (const chunk of chunksOf(stored(source, entry), signal)) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Every tensor of a small file, in memory, by name. Closes the source. */
export async function readTensors(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<Map<string, RawTensor>> {
  try {
    const { tensors } = await readHeader(source, signal);
    const result = new Map<string, RawTensor>();
    for (const [name, entry] of tensors) {
      const { dtype, shape } = entry;
      result.set(name, { name, dtype, shape, bytes: await readTensor(source, entry, signal) });
    }
    return result;
  } finally {
    await source.close();
  }
}
