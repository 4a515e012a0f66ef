/**
 * A folder's weights as one name space, from one *.safetensors file or from shards under an index
 * (`*.index.json`: `{ "weight_map": { tensor name: file name } }`), else from the only PyTorch
 * checkpoint (*.pth, *.pt); checkpoint-files.ts chooses.
 */
import { chooseFile, isIndex, isShard, isTorchFile } from './checkpoint-files.ts';
import { CheckpointError, grouped } from './error.ts';
import type { Folder } from './folder.ts';
import type { RawTensor } from './layout.ts';
import type { StoredTensor } from './pth.ts';
import type { FileDType } from './safetensors-header.ts';
import {
  readChunks,
  readHeader,
  readTensor,
  type TensorEntry,
  type TensorIndex,
} from './safetensors.ts';
import { type ByteSource, readInto } from './source.ts';

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
    return openShards(folder, file, await folder.list(), signal);
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

interface Assembly {
  readonly sources: readonly ByteSource[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

const stored = (source: ByteSource, entry: TensorEntry): StoredTensor => ({
  ...entry,
  chunks: (signal) => readChunks(source, entry, signal),
  part: (begin, length, signal) => source.read(entry.offset + begin, length, signal),
  fill: (begin, target, signal) => readInto(source, entry.offset + begin, target, signal),
});

const storedTensors = (source: ByteSource, entries: TensorIndex): Map<string, StoredTensor> =>
  new Map([...entries].map(([name, entry]) => [name, stored(source, entry)]));

async function openShards(
  folder: Folder,
  index: string,
  files: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Checkpoint> {
  const where = `${folder.name}/${index}`;
  const weightMap = parseIndex(where, await folder.readText(index));
  const sources: ByteSource[] = [];
  try {
    const headers = new Map<
      string,
      { source: ByteSource; tensors: ReadonlyMap<string, TensorEntry> }
    >();
    for (const shard of new Set(weightMap.values())) {
      // A URL folder without a list of files cannot know the shards' names; opening them tells.
      if (files.some(isShard) && !files.includes(shard)) {
        throw new CheckpointError(
          `${where}: needs ${shard}, which is not in ${folder.name}; download it`,
        );
      }
      const source = await folder.open(shard);
      sources.push(source);
      headers.set(shard, { source, tensors: (await readHeader(source, signal)).tensors });
    }
    const tensors = new Map<string, StoredTensor>();
    for (const [name, shard] of weightMap) {
      const header = headers.get(shard);
      const entry = header?.tensors.get(name);
      if (!header || !entry) {
        throw new CheckpointError(
          `${where}: puts ${name} into ${shard}, which has no such tensor; download both again`,
        );
      }
      tensors.set(name, stored(header.source, entry));
    }
    return await assemble(where, { sources, tensors });
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()));
    throw error;
  }
}

function parseIndex(where: string, text: string): Map<string, string> {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (error) {
    throw new CheckpointError(`${where}: is not JSON (${String(error)})`, { cause: error });
  }
  const map: unknown =
    typeof index === 'object' && index !== null && 'weight_map' in index ? index.weight_map : null;
  if (typeof map !== 'object' || map === null) {
    throw new CheckpointError(`${where}: has no "weight_map"`);
  }
  return new Map(
    Object.entries(map).map(([name, file]: [string, unknown]) => {
      // Beside the index and nowhere else: an index must not make us open /etc/passwd.
      if (typeof file !== 'string' || !/^[^/\\]+\.safetensors$/.test(file)) {
        throw new CheckpointError(
          `${where}: weight_map puts ${name} into ${JSON.stringify(file)}, expected the name of a *.safetensors file beside it`,
        );
      }
      return [name, file];
    }),
  );
}

async function assemble(name: string, { sources, tensors }: Assembly): Promise<Checkpoint> {
  const sizes = await Promise.all(sources.map((source) => source.size()));
  const at = (tensor: string): StoredTensor => {
    const entry = tensors.get(tensor);
    if (!entry) throw new CheckpointError(`${name}: has no tensor ${tensor}`);
    return entry;
  };
  const close = async () => {
    await Promise.all(sources.map((source) => source.close()));
  };
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
