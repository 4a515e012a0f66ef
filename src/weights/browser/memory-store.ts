/**
 * Models in memory, where the browser keeps none for this page: the same store, gone with the page. An aborted or
 * cut download goes on where it stopped, as long as the page is there. A name has one model, the latest.
 */
import { blobFolder, type BlobFolder } from '../folder.ts';
import { download } from '../hub/download.ts';
import { createLimit, together } from '../hub/limit.ts';
import { lengthOf } from '../hub/ranges.ts';
import { type HeldFile, heldFile } from './memory-file.ts';
import { CONNECTIONS, type DownloadOptions, type ModelStore, PART_BYTES } from './model-store.ts';
import { opfsRoot, type OpfsStoreOptions } from './opfs-root.ts';
import { opfsStore } from './opfs-store.ts';
import type { RemoteModel } from './remote-model.ts';
import { StorageError } from './storage-error.ts';
import { countersOf, type StoreOptions } from './store-model.ts';
import type { StoredModel } from './stored-model.ts';

/**
 * The browser's storage, or memory where it gives this page none, as in private windows: `isKept` says which. Ask
 * once: every memory is another one. StorageError: there is a storage, and it does not open now.
 */
export async function modelStore(options: OpfsStoreOptions = {}): Promise<ModelStore> {
  try {
    await opfsRoot(options).open();
    return opfsStore(options);
  } catch (error) {
    if (error instanceof StorageError && error.problem === 'unsupported') {
      return memoryStore(options);
    }
    throw error;
  }
}

/** Fetched, or a Blob that was given. */
type ModelFile = HeldFile | GivenFile;

interface GivenFile extends Pick<HeldFile, 'size' | 'done' | 'blob'> {
  readonly id: undefined;
  readonly isWhole: true;
}

interface HeldModel extends Pick<StoredModel, 'licences'> {
  readonly own: ReadonlyMap<string, Blob>;
  readonly files: ReadonlyMap<string, ModelFile>;
}

export type MemoryStoreOptions = Pick<OpfsStoreOptions, 'partBytes'>;

/** Every call makes a memory of its own, with nothing in it. */
export function memoryStore({ partBytes = PART_BYTES }: MemoryStoreOptions = {}): ModelStore {
  const models = new Map<string, HeldModel>();
  const turns = createTurns();

  /** What is there of a model as it is now. */
  const filesOf = ({ name, files }: RemoteModel): ReadonlyMap<string, HeldFile> => {
    const before = models.get(name)?.files;
    return new Map(
      files.map(({ path, remote: { size, id } }) => {
        const there = before?.get(path);
        const isSame = there?.id === id && there.size === size;
        return [path, isSame ? there : heldFile(path, { size, id, partBytes })];
      }),
    );
  };
  const fetchModel = async (
    model: RemoteModel,
    { signal, onProgress = () => {}, policy }: DownloadOptions,
  ): Promise<BlobFolder> => {
    const files = filesOf(model);
    const own = new Map([...model.own].map(([path, text]) => [path, new Blob([text])] as const));
    const held = { licences: model.licences, own, files };
    models.set(model.name, held);
    const { loaded, checked } = countersOf(Object.fromEntries(files), onProgress);
    const limit = createLimit(CONNECTIONS);
    const bring = async (
      { path, remote }: RemoteModel['files'][number],
      stop: AbortSignal,
    ): Promise<void> => {
      const file = files.get(path);
      if (!file) return;
      if (file.isWhole) {
        loaded(file.size);
        checked(file.size);
        return;
      }
      await download(remote, file, {
        client: model.client,
        limit,
        segmentBytes: partBytes,
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
    list: async () => [...models].map(([name, held]) => storedModel(name, held)),
    plan: async (model) => ({
      bytes: model.bytes,
      missingBytes: model.bytes - bytesIn(filesOf(model)),
      freeBytes: undefined,
    }),
    download: (model, options = {}) =>
      turns.take(model.name, options, () => fetchModel(model, options)),
    keep: (name, { files }, options = {}) =>
      turns.take(name, options, async () => {
        const given = [...files].map(([path, blob]) => [path, givenFile(blob)] as const);
        const held = { licences: [], own: new Map<string, Blob>(), files: new Map(given) };
        models.set(name, held);
        return folderOf(name, held);
      }),
    open: async (name) => {
      const held = models.get(name);
      return held && isWhole(held) ? folderOf(name, held) : undefined;
    },
    remove: async (name) => {
      if (turns.isBusy(name)) {
        throw new StorageError(`${name} is being downloaded; stop that before removing it`, {
          problem: 'busy',
        });
      }
      models.delete(name);
    },
  };
}

/** One at a time works on a model, as with locks of the browser: an abort ends what waits at once. */
function createTurns() {
  const ends = new Map<string, Promise<void>>();
  return {
    isBusy: (name: string): boolean => ends.has(name),
    take: async <T>(
      name: string,
      { signal, onWait }: StoreOptions,
      action: () => Promise<T>,
    ): Promise<T> => {
      signal?.throwIfAborted();
      if (ends.has(name)) onWait?.();
      for (let end = ends.get(name); end; end = ends.get(name)) {
        await (signal ? Promise.race([end, abortOf(signal)]) : end);
        signal?.throwIfAborted();
      }
      const turn = action();
      const over = (): void => void ends.delete(name);
      ends.set(name, turn.then(over, over));
      return turn;
    },
  };
}

const abortOf = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );

const givenFile = (blob: Blob): GivenFile => ({
  size: blob.size,
  id: undefined,
  done: [[0, blob.size]],
  isWhole: true,
  blob: () => blob,
});

const isWhole = ({ files }: HeldModel): boolean =>
  [...files.values()].every((file) => file.isWhole);

const folderOf = (name: string, { own, files }: HeldModel): BlobFolder =>
  blobFolder(
    name,
    new Map([...own, ...[...files].map(([path, file]) => [path, file.blob()] as const)]),
  );

const bytesIn = (files: HeldModel['files']): number =>
  [...files.values()].reduce((sum, { done }) => sum + lengthOf(done), 0);

const storedModel = (name: string, held: HeldModel): StoredModel => ({
  name,
  bytes: [...held.files.values()].reduce((sum, { size }) => sum + size, 0),
  storedBytes: bytesIn(held.files),
  isComplete: isWhole(held),
  licences: held.licences,
});
