/**
 * A model brought into the storage by one tab at a time:
 *
 *   lock → room → checksums of Blobs → room → model.json → every file that is not there, by `store` → Folder
 *
 * Before a Blob's checksum is known, one of its size that is there counts as it: what has no room by its sizes
 * alone is refused before anything is read.
 */
import { blobFolder, type BlobFolder } from '../folder.ts';
import type { HashOptions } from '../hub/checksum.ts';
import { together } from '../hub/limit.ts';
import type { OpfsRoot } from './opfs-root.ts';
import { megabytes, StorageError, storageError } from './storage-error.ts';
import { storedBlob, type StoredFile } from './stored-file.ts';
import {
  listModels,
  makeFileFolder,
  missingBytesOf,
  modelBlobs,
  type ModelNote,
  readModelNote,
  type Sizes,
  writeModelNote,
} from './stored-model.ts';

export interface StoreProgress {
  /** Stored, what was there included; fewer than before where a file starts again. */
  readonly loadedBytes: number;
  /** Read for their checksums: of what is fetched when a file is whole, of Blobs before they are copied. */
  readonly checkedBytes: number;
  readonly totalBytes: number;
}

export interface StoreOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: StoreProgress) => void) | undefined;
  /** Another tab works on the same model: this one waits, and then reads what the other has stored. */
  readonly onWait?: (() => void) | undefined;
}

/** What a model is to consist of, and how its files come. */
export interface Storing extends Pick<ModelNote, 'licences' | 'own'> {
  readonly name: string;
  /** By path in the model's folder. */
  readonly files: Readonly<Record<string, WantedFile>>;
  /** Brings one of them, which is not there, into its folder. */
  readonly store: (
    path: string,
    file: StoredFile,
    at: FileSystemDirectoryHandle,
    job: Job,
  ) => Promise<void>;
}

export interface WantedFile {
  readonly size: number;
  /** As the note has it; a function where it is yet to be read out of the file. */
  readonly id: string | ((options: HashOptions) => Promise<string>);
}

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

/** StorageError: no room, or the storage refuses. CheckpointError: a Blob cannot be read. */
export async function storeModel(
  root: OpfsRoot,
  { name, licences, own, files: wanted, store }: Storing,
  { signal, onProgress = () => {}, onWait = () => {} }: StoreOptions,
): Promise<BlobFolder> {
  const models = await root.open();
  const lock = root.lockOf(name);

  const work = async (): Promise<BlobFolder> => {
    const { loaded, checked } = countersOf(wanted, onProgress);
    await expectRoom(root, name, knownOf(wanted));
    const files = await identified(wanted, { signal, onBytes: checked });
    await expectRoom(root, name, files);
    const note = { licences, own, files };
    const at = await models.getDirectoryHandle(name, { create: true });
    await writeModelNote(at, note).catch((cause: unknown) => {
      throw storageError(`write ${name}`, cause);
    });
    const bring = async ([path, file]: [string, StoredFile], stop: AbortSignal): Promise<void> => {
      const onCheck = typeof wanted[path]?.id === 'string' ? checked : () => {};
      const folder = await makeFileFolder(at, path);
      if (await storedBlob(folder, file)) {
        loaded(file.size);
        onCheck(file.size);
      } else await store(path, file, folder, { signal: stop, onBytes: loaded, onCheck });
    };
    try {
      await together(Object.entries(files), bring, signal);
    } catch (cause) {
      if (!(cause instanceof StorageError) || cause.problem !== 'quota') throw cause;
      throw await quotaError(root, name, await missingBytesOf(at, files), cause);
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

/** What is told of bytes: stored, and read for checksums. */
export function countersOf(
  files: Readonly<Record<string, { readonly size: number }>>,
  onProgress: (progress: StoreProgress) => void,
): Record<'loaded' | 'checked', (count: number) => void> {
  const totalBytes = Object.values(files).reduce((sum, { size }) => sum + size, 0);
  const [loadedBytes, checkedBytes] = [0, 0];
  const progress = { loadedBytes, checkedBytes, totalBytes };
  const counter = (key: 'loadedBytes' | 'checkedBytes') => (count: number) => {
    progress[key] += count;
    onProgress({ ...progress });
  };
  return { loaded: counter('loadedBytes'), checked: counter('checkedBytes') };
}

/** With those ids that are known already. */
const knownOf = (files: Storing['files']): Sizes =>
  Object.fromEntries(
    Object.entries(files).map(([path, { size, id }]) => [
      path,
      { size, id: typeof id === 'string' ? id : undefined },
    ]),
  );

/** With their ids. Blobs are hashed one after another. */
async function identified(
  files: Storing['files'],
  options: HashOptions,
): Promise<ModelNote['files']> {
  const result: Record<string, StoredFile> = {};
  for (const [path, { size, id }] of Object.entries(files)) {
    result[path] = { size, id: typeof id === 'string' ? id : await id(options) };
  }
  return result;
}

async function expectRoom(root: OpfsRoot, name: string, files: Sizes): Promise<void> {
  const needed = await missingBytesOf(await root.model(name), files);
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
