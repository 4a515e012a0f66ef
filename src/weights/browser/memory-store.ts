/**
 * Models in memory, where the browser keeps none for this page: the same store, gone with the page. An aborted or
 * cut download goes on where it stopped, as long as the page is there.
 */
import { blobFolder, type BlobFolder } from '../folder.ts';
import { download } from '../hub/download.ts';
import { createLimit, together } from '../hub/limit.ts';
import { lengthOf } from '../hub/ranges.ts';
import { type HeldFile, heldFile, PART_BYTES } from './memory-file.ts';
import { CONNECTIONS, type DownloadOptions, type ModelStore } from './model-store.ts';
import { opfsRoot, type OpfsStoreOptions } from './opfs-root.ts';
import { opfsStore } from './opfs-store.ts';
import type { RemoteModel } from './remote-model.ts';
import { StorageError } from './storage-error.ts';
import { countersOf } from './store-model.ts';
import type { StoredModel } from './stored-model.ts';

/**
 * The browser's storage, or memory where it gives this page none, as in private windows: `isKept` says which.
 */
export async function modelStore(options: OpfsStoreOptions = {}): Promise<ModelStore> {
  try {
    await opfsRoot(options).open();
    return opfsStore(options);
  } catch (error) {
    if (error instanceof StorageError) return memoryStore();
    throw error;
  }
}

interface HeldModel extends Pick<StoredModel, 'licences'> {
  readonly own: ReadonlyMap<string, Blob>;
  readonly files: ReadonlyMap<string, HeldFile>;
}

export function memoryStore(): ModelStore {
  const fetched = new Map<string, HeldModel>();
  const given = new Map<string, BlobFolder>();
  /** The last download of each model: the next one begins after it. */
  const turns = new Map<string, Promise<unknown>>();

  /** What is there of a model as it is now. */
  const heldOf = ({ name, licences, own, files }: RemoteModel): HeldModel => {
    const before = fetched.get(name)?.files;
    const held = files.map(({ path, remote }): [string, HeldFile] => {
      const there = before?.get(path);
      const isSame = there?.id === remote.id && there.size === remote.size;
      return [path, isSame ? there : heldFile(path, remote)];
    });
    const texts = [...own].map(([path, text]) => [path, new Blob([text])] as const);
    return { licences, own: new Map(texts), files: new Map(held) };
  };
  const fetchModel = async (
    model: RemoteModel,
    { signal, onProgress = () => {}, policy }: DownloadOptions,
  ): Promise<BlobFolder> => {
    signal?.throwIfAborted();
    const held = heldOf(model);
    fetched.set(model.name, held);
    const { loaded, checked } = countersOf(Object.fromEntries(held.files), onProgress);
    const limit = createLimit(CONNECTIONS);
    const bring = async (
      { path, remote }: RemoteModel['files'][number],
      stop: AbortSignal,
    ): Promise<void> => {
      const file = held.files.get(path);
      if (!file) return;
      if (file.isWhole) {
        loaded(file.size);
        checked(file.size);
        return;
      }
      await download(remote, file, {
        client: model.client,
        limit,
        segmentBytes: PART_BYTES,
        signal: stop,
        onBytes: loaded,
        onCheck: checked,
        ...(policy && { policy }),
      });
      file.isWhole = true;
    };
    await together(model.files, bring, signal);
    return folderOf(model.name, held);
  };

  return {
    isKept: false,
    list: async () => [
      ...[...fetched].map(([name, held]) => storedModel(name, held)),
      ...[...given.values()].map(keptModel),
    ],
    plan: async (model) => {
      const { storedBytes } = storedModel(model.name, heldOf(model));
      return { bytes: model.bytes, missingBytes: model.bytes - storedBytes, freeBytes: undefined };
    },
    download: (model, options = {}) => {
      const { name } = model;
      const last = turns.get(name);
      if (last) options.onWait?.();
      const turn = (last ?? Promise.resolve())
        .catch(() => {})
        .then(() => fetchModel(model, options));
      turns.set(name, turn);
      const end = (): void => {
        if (turns.get(name) === turn) turns.delete(name);
      };
      turn.then(end, end);
      return turn;
    },
    keep: async (name, { files }) => {
      const folder = blobFolder(name, files);
      given.set(name, folder);
      return folder;
    },
    open: async (name) => {
      const held = fetched.get(name);
      return held && isWhole(held) ? folderOf(name, held) : given.get(name);
    },
    remove: async (name) => {
      if (turns.has(name)) {
        throw new StorageError(`${name} is being downloaded; stop that before removing it`, {
          problem: 'busy',
        });
      }
      fetched.delete(name);
      given.delete(name);
    },
  };
}

const isWhole = ({ files }: HeldModel): boolean =>
  [...files.values()].every((file) => file.isWhole);

const folderOf = (name: string, { own, files }: HeldModel): BlobFolder =>
  blobFolder(
    name,
    new Map([...own, ...[...files].map(([path, file]) => [path, file.blob()] as const)]),
  );

function storedModel(name: string, held: HeldModel): StoredModel {
  const files = [...held.files.values()];
  return {
    name,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    storedBytes: files.reduce((sum, { done }) => sum + lengthOf(done), 0),
    isComplete: isWhole(held),
    licences: held.licences,
  };
}

function keptModel({ name, files }: BlobFolder): StoredModel {
  const bytes = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  return { name, bytes, storedBytes: bytes, isComplete: true, licences: [] };
}
