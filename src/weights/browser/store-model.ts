/**
 * A model brought into the storage by one tab at a time:
 *
 *   lock → room → model.json → every file that is not there, by `store` → Folder
 */
import { blobFolder, type BlobFolder } from '../folder.ts';
import { together } from '../hub/limit.ts';
import type { OpfsRoot } from './opfs-root.ts';
import { megabytes, StorageError, storageError } from './storage-error.ts';
import { storedBlob } from './stored-file.ts';
import {
  listModels,
  makeFileFolder,
  missingBytesOf,
  modelBlobs,
  type ModelNote,
  readModelNote,
  writeModelNote,
} from './stored-model.ts';

export interface StoreProgress {
  /** Stored, what was there included; fewer than before where a file starts again. */
  readonly loadedBytes: number;
  /** Read again for their checksums, after a file is whole. */
  readonly checkedBytes: number;
  readonly totalBytes: number;
}

export interface StoreOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: StoreProgress) => void) | undefined;
  /** Another tab works on the same model: this one waits, and then reads what the other has stored. */
  readonly onWait?: (() => void) | undefined;
}

/** Brings one file into its folder. */
export type StoreFile = (path: string, at: FileSystemDirectoryHandle, job: Job) => Promise<void>;

export interface Job {
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
  readonly onCheck: (count: number) => void;
}

/** Undefined where it is not complete. */
export async function openStoredModel(
  root: OpfsRoot,
  name: string,
): Promise<BlobFolder | undefined> {
  const at = await root.model(name);
  const note = at && (await readModelNote(at));
  const blobs = note && (await modelBlobs(at, note));
  return blobs && blobFolder(name, blobs);
}

export async function storeModel(
  root: OpfsRoot,
  { name, ...note }: ModelNote & { readonly name: string },
  store: StoreFile,
  { signal, onProgress = () => {}, onWait = () => {} }: StoreOptions,
): Promise<BlobFolder> {
  const models = await root.open();
  const lock = root.lockOf(name);

  const work = async (): Promise<BlobFolder> => {
    await expectRoom(root, name, note);
    const at = await models.getDirectoryHandle(name, { create: true });
    await writeModelNote(at, note).catch((cause: unknown) => {
      throw storageError(`write ${name}`, cause);
    });
    try {
      await storeFiles(at, note, store, { signal, onProgress });
    } catch (cause) {
      if (!(cause instanceof StorageError) || cause.problem !== 'quota') throw cause;
      throw await quotaError(root, name, await missingBytesOf(at, note), cause);
    }
    const opened = await openStoredModel(root, name);
    if (opened) return opened;
    throw new StorageError(
      `${name}: the browser removed some of its files while others were stored; start again`,
      { problem: 'failed' },
    );
  };

  const { held = [] } = await navigator.locks.query();
  if (held.some((other) => other.name === lock)) onWait();
  return navigator.locks.request(lock, signal ? { signal } : {}, work);
}

async function storeFiles(
  at: FileSystemDirectoryHandle,
  { files }: ModelNote,
  store: StoreFile,
  {
    signal,
    onProgress,
  }: { signal: AbortSignal | undefined; onProgress: (p: StoreProgress) => void },
): Promise<void> {
  const totalBytes = Object.values(files).reduce((sum, { size }) => sum + size, 0);
  let loadedBytes = 0;
  let checkedBytes = 0;
  const tell = (): void => onProgress({ loadedBytes, checkedBytes, totalBytes });
  const onBytes = (count: number): void => {
    loadedBytes += count;
    tell();
  };
  const onCheck = (count: number): void => {
    checkedBytes += count;
    tell();
  };
  await together(
    Object.entries(files),
    async ([path, file], stop) => {
      const folder = await makeFileFolder(at, path);
      if (await storedBlob(folder, file)) {
        onBytes(file.size);
        onCheck(file.size);
      } else await store(path, folder, { signal: stop, onBytes, onCheck });
    },
    signal,
  );
}

async function expectRoom(root: OpfsRoot, name: string, note: ModelNote): Promise<void> {
  const needed = await missingBytesOf(await root.model(name), note);
  if (needed === 0) return;
  void root.persist(); // not awaited: Firefox asks the user, who may leave it unanswered
  const free = await root.freeBytes();
  if (free !== undefined && needed > free) throw await quotaError(root, name, needed);
}

async function quotaError(
  root: OpfsRoot,
  name: string,
  neededBytes: number,
  cause?: unknown,
): Promise<StorageError> {
  const freeBytes = await root.freeBytes();
  const others = (await listModels(await root.open()))
    .filter((model) => model.name !== name && model.storedBytes > 0)
    .map((model) => `${model.name} (${megabytes(model.storedBytes)})`);
  // Estimates know nothing of what other programs leave on the disk.
  const isKnown = freeBytes !== undefined && freeBytes < neededBytes;
  const room = isKnown ? `has room for ${megabytes(freeBytes)}` : 'gets no room for that';
  const remedy = others.length === 0 ? '' : `, or remove ${others.join(', ')} here`;
  return new StorageError(
    `${name} needs ${megabytes(neededBytes)} more, and this browser ${room}: free space on the disk${remedy}, and start again; what is there is kept`,
    { problem: 'quota', neededBytes, freeBytes, cause },
  );
}
