/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A folder's weights as one name space, from one *.safetensors file or from shards under an index (shards.ts),
 * else from a PyTorch checkpoint (pth.ts). Where a folder has several, checkpoint-files.ts chooses.
 */
import { isCandidate, isIndex, isTorchFile } from './file-names.ts';
import type { Folder } from './folder.ts';
import type { StoredTensor } from './pth.ts';
import type { FileDType } from './safetensors-header.ts';
import { readHeader, stored } from './safetensors.ts';
import type { ByteSource } from './source.ts';

export interface CheckpointTensor {
  readonly dtype: FileDType;
  readonly shape: readonly number[];
}

/** Some of a tensor's bytes, from its byte `begin` on, into memory that the caller keeps. RangeError: it has fewer. */
export async function fillFrom(
  tensor: StoredTensor,
  begin: number,
  target: Uint8Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<void> {
  if (begin + target.length > tensor.bytes) throw new RangeError('read past the end of a tensor');
  if (tensor.fill) await tensor.fill(begin, target, signal);
  else target.set(await tensor.part(begin, target.length, signal));
}

export interface Checkpoint extends AsyncDisposable {
  /** Folder and file that were chosen, for messages and `info`. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** All files together. */
  readonly bytes: number;
  close(): Promise<void>;
}

export async function openCheckpoint(folder: Folder, signal?: AbortSignal): Promise<Checkpoint> {
  const files = await folder.list();
  const [only, ...others] = files.filter(isCandidate);
  if (only !== undefined && others.length === 0) return openFile(folder, only, signal);
  const { chooseFile } = await import('./checkpoint-files.ts');
  return openFile(folder, chooseFile(folder, files), signal);
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
    return assemble(`${folder.name}/${file}`, await openShards(folder, file, signal));
  }
  const source = await folder.open(file);
  const tensors = isTorchFile(file)
    ? // A page that reads safetensors never loads its reader.
      import('./pth.ts').then(({ readTorch }) => readTorch(source, signal))
    : readHeader(source, signal).then(
        (header) =>
          new Map([...header.tensors].map(([name, entry]) => [name, stored(source, entry)])),
      );
  return assemble(source.name, { sources: [source], tensors });
}

/** What a checkpoint is made of. */
export interface Assembly {
  readonly sources: readonly ByteSource[];
  readonly tensors: ReadonlyMap<string, StoredTensor> | Promise<ReadonlyMap<string, StoredTensor>>;
}

/** Closes the sources where there are no tensors in them. */
async function assemble(name: string, { sources, tensors }: Assembly): Promise<Checkpoint> {
  const close = async (): Promise<void> => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    const found = await tensors;
    const sizes = await Promise.all(sources.map((source) => source.size()));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    return { name, tensors: found, bytes, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
