/**
 * Models kept by the browser, in the Origin Private File System: downloaded once, resumed after a
 * reload or a cut, checked, read by every tab.
 *
 *   const store = opfsStore();
 *   const model = await hubModel('sd-turbo');
 *   const { missingBytes } = await store.plan(model);      // show it, and model.licences; ask
 *   const folder = await store.download(model, { signal, onProgress });
 *   const opened = await openModel(folder);                // next time: await store.open('sd-turbo')
 *
 * In a worker a reload loses nothing; on the main thread the parts under way (stored-file.ts).
 */
import type { BlobFolder } from '../folder.ts';
import { download } from '../hub/download.ts';
import { createLimit } from '../hub/limit.ts';
import { lengthOf, missing } from '../hub/ranges.ts';
import type { RetryPolicy } from '../hub/retry.ts';
import { digestOfBlob } from './blob-digest.ts';
import { opfsRoot, type OpfsStoreOptions } from './opfs-root.ts';
import type { RemoteModel } from './remote-model.ts';
import { StorageError, storageError } from './storage-error.ts';
import { type Job, openStoredModel, storeModel, type StoreOptions } from './store-model.ts';
import { openStored, type OpenStoredFile, type StoredFile } from './stored-file.ts';
import { listModels, missingBytesOf, type ModelNote, type StoredModel } from './stored-model.ts';

export interface DownloadPlan {
  /** Of all files. */
  readonly bytes: number;
  /** Still to come over the network. */
  readonly missingBytes: number;
  /** As the browser estimates it; undefined where it does not. */
  readonly freeBytes: number | undefined;
}

export interface DownloadOptions extends StoreOptions {
  /** How long what fails for now is tried again. */
  readonly policy?: RetryPolicy;
}

export interface ModelStore {
  /** Models that are here, complete, begun or damaged. */
  list(): Promise<readonly StoredModel[]>;
  /** What a download would take. */
  plan(model: RemoteModel): Promise<DownloadPlan>;
  /**
   * Fetches what is missing, checks it, and gives the model. Aborted, cut or reloaded, the next call goes
   * on where it stopped. Asks the browser (and it perhaps the user) not to clear the storage.
   * StorageError: no room, or no storage. HubError: the server does not give it.
   */
  download(model: RemoteModel, options?: DownloadOptions): Promise<BlobFolder>;
  /**
   * Copies a model of files at hand, such as dropped ones, under a name without slashes. What is there
   * already is known by name, size and time of its File, or by the checksum of a Blob. StorageError: no
   * room, or no storage.
   */
  keep(name: string, model: BlobFolder, options?: StoreOptions): Promise<BlobFolder>;
  /** Without a network; undefined where it is not complete. */
  open(name: string): Promise<BlobFolder | undefined>;
  /** Ends what reads it, in every tab. StorageError where a tab is storing it. */
  remove(name: string): Promise<void>;
}

/** Requests at a time: files share them, a large file takes several. */
const CONNECTIONS = 4;

/** Nothing happens until it is used. StorageError then, where the browser has no such storage. */
export function opfsStore(options: OpfsStoreOptions = {}): ModelStore {
  const root = opfsRoot(options);
  return {
    list: async () => listModels(await root.open()),
    plan: async (model) => ({
      bytes: model.bytes,
      missingBytes: await missingBytesOf(await root.model(model.name), noteOf(model)),
      freeBytes: await root.freeBytes(),
    }),
    download: (model, { policy, ...asked } = {}) => {
      const limit = createLimit(CONNECTIONS);
      const remotes = new Map(model.files.map(({ path, remote }) => [path, remote]));
      const note = { name: model.name, ...noteOf(model) };
      const { client } = model;
      return storeModel(root, note, store, asked);

      async function store(path: string, at: FileSystemDirectoryHandle, job: Job): Promise<void> {
        const remote = remotes.get(path);
        if (!remote) return;
        const { partBytes } = root;
        const partial = await openStored(at, remote, { name: path, partBytes });
        const how = { client, limit, segmentBytes: partBytes, ...(policy && { policy }) };
        await download(remote, partial, { ...job, ...how });
        await partial.finish();
      }
    },
    keep: async (name, { files }, asked = {}) => {
      const kept: Record<string, StoredFile> = {};
      for (const [path, blob] of files) kept[path] = await keptFile(blob, asked.signal);
      const note = { name, licences: [], own: {}, files: kept };
      return storeModel(
        root,
        note,
        async (path, at, job) => {
          const [blob, file] = [files.get(path), kept[path]];
          if (!blob || !file) return;
          const { partBytes } = root;
          await copy(blob, await openStored(at, file, { name: path, partBytes }), job);
        },
        asked,
      );
    },
    open: (name) => openStoredModel(root, name),
    remove: async (name) => {
      const models = await root.open();
      await navigator.locks.request(root.lockOf(name), { ifAvailable: true }, async (lock) => {
        if (!lock) {
          throw new StorageError(
            `${name} is being stored by another tab; stop it there, or wait, before removing it`,
            { problem: 'busy' },
          );
        }
        await models.removeEntry(name, { recursive: true }).catch((cause: unknown) => {
          if (cause instanceof Error && cause.name === 'NotFoundError') return;
          throw storageError(`remove ${name}`, cause);
        });
      });
    },
  };
}

const noteOf = ({ files, own, licences }: RemoteModel): ModelNote => ({
  licences,
  own: Object.fromEntries(own),
  files: Object.fromEntries(
    files.map(({ path, remote: { size, id } }) => [path, { size, id } satisfies StoredFile]),
  ),
});

/** Given again, a file is known by its name and time; a Blob that has neither by what is in it. */
const keptFile = async (blob: Blob, signal: AbortSignal | undefined): Promise<StoredFile> => ({
  size: blob.size,
  id:
    blob instanceof File
      ? `${blob.name} ${blob.lastModified}`
      : `sha256 ${await digestOfBlob(blob, 'sha256', { signal })}`,
});

const COPY_BYTES = 4 * 2 ** 20;

async function copy(
  blob: Blob,
  stored: OpenStoredFile,
  { signal, onBytes, onCheck }: Job,
): Promise<void> {
  try {
    onBytes(lengthOf(stored.done));
    for (const [begin, end] of missing(stored.done, blob.size, COPY_BYTES)) {
      signal.throwIfAborted();
      const bytes = await blob.slice(begin, end).arrayBuffer();
      await stored.write(new Uint8Array(bytes), begin);
      onBytes(end - begin);
    }
  } finally {
    await stored.close();
  }
  onCheck(blob.size);
  await stored.finish();
}
