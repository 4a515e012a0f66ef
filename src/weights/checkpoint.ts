/**
 * A folder's weights as one name space, from one *.safetensors file or from shards under an index (shards.ts),
 * else from the only PyTorch checkpoint (*.pth, *.pt); checkpoint-files.ts chooses.
 */
import { chooseFile, isIndex, isTorchFile } from './checkpoint-files.ts';
import { CheckpointError, grouped } from './error.ts';
import type { Folder } from './folder.ts';
import type { RawTensor } from './layout.ts';
import type { StoredTensor } from './pth.ts';
import type { FileDType } from './safetensors-header.ts';
import { readHeader, readTensor, stored, type TensorIndex } from './safetensors.ts';
import type { ByteSource } from './source.ts';

export interface CheckpointTensor {
  readonly dtype: FileDType;
  readonly shape: readonly number[];
}

export interface Checkpoint extends AsyncDisposable {
  /** Folder and file that were chosen, for messages and `info`. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** All files together. */
  readonly bytes: number;
  /** A tensor's bytes, little-endian, aligned to 8. */
  read(name: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** A tensor's bytes in its file. */
  byteLength(name: string): number;
  /** `length` of a tensor's bytes from `offset`: some rows of a table that is not needed whole. */
  readPart(
    name: string,
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** A tensor in pieces of whole rows, at most 16 MiB unless one row is more. */
  chunks(name: string, signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>>;
  /** Some of a tensor's bytes, from its byte `begin` on, into memory that the caller keeps. */
  readInto(
    name: string,
    begin: number,
    target: Uint8Array<ArrayBuffer>,
    signal?: AbortSignal,
  ): Promise<void>;
  close(): Promise<void>;
}

export async function openCheckpoint(folder: Folder, signal?: AbortSignal): Promise<Checkpoint> {
  return openFile(folder, chooseFile(folder, await folder.list()), signal);
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

/**
 * One file of the folder by its name, e.g. `prompt_embeds.safetensors`; its ending tells the format.
 * An index brings its shards.
 */
export async function openFile(
  folder: Folder,
  file: string,
  signal?: AbortSignal,
): Promise<Checkpoint> {
  if (isIndex(file)) {
    const { openShards } = await import('./shards.ts');
    const shards = await openShards(folder, file, signal);
    try {
      return await assemble(`${folder.name}/${file}`, shards);
    } catch (error) {
      await closeAll(shards.sources);
      throw error;
    }
  }
  const source = await folder.open(file);
  try {
    const tensors = isTorchFile(file)
      ? // A page that reads safetensors never loads its reader.
        await (await import('./pth.ts')).readTorch(source, signal)
      : storedTensors(source, (await readHeader(source, signal)).tensors);
    return await assemble(source.name, { sources: [source], tensors });
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** What a checkpoint is made of. */
export interface Assembly {
  readonly sources: readonly ByteSource[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

const storedTensors = (source: ByteSource, entries: TensorIndex): Map<string, StoredTensor> =>
  new Map([...entries].map(([name, entry]) => [name, stored(source, entry)]));

const closeAll = async (sources: readonly ByteSource[]): Promise<void> => {
  await Promise.all(sources.map((source) => source.close()));
};

async function assemble(name: string, { sources, tensors }: Assembly): Promise<Checkpoint> {
  const sizes = await Promise.all(sources.map((source) => source.size()));
  const at = (tensor: string): StoredTensor => {
    const entry = tensors.get(tensor);
    if (!entry) throw new CheckpointError(`${name}: has no tensor ${tensor}`);
    return entry;
  };
  const close = () => closeAll(sources);
  return {
    name,
    tensors,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    read: async (tensor, signal) => {
      const entry = at(tensor);
      const whole = new Uint8Array(entry.bytes);
      let end = 0;
      for await (const chunk of entry.chunks(signal)) {
        whole.set(chunk, end);
        end += chunk.length;
      }
      return whole;
    },
    byteLength: (tensor) => at(tensor).bytes,
    readPart: async (tensor, offset, length, signal) => {
      const entry = at(tensor);
      if (offset + length > entry.bytes) {
        throw new CheckpointError(
          `${name}: ${tensor} has ${grouped(entry.bytes)} bytes, asked for ${length} from ${offset}`,
        );
      }
      return entry.part(offset, length, signal);
    },
    readInto: async (tensor, begin, target, signal) => {
      const entry = at(tensor);
      if (begin + target.length > entry.bytes) throw new RangeError(`${tensor}: read past its end`);
      if (entry.fill) await entry.fill(begin, target, signal);
      else target.set(await entry.part(begin, target.length, signal));
    },
    chunks: (tensor, signal) => at(tensor).chunks(signal),
    close,
    [Symbol.asyncDispose]: close,
  };
}
