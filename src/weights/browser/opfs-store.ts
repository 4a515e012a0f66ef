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
import { download } from '../hub/download.ts';
import { createLimit } from '../hub/limit.ts';
import { lengthOf, missing } from '../hub/ranges.ts';
import { bytesOfBlob } from '../source.ts';
import { digestOfBlob } from './blob-digest.ts';
import { CONNECTIONS, type ModelStore } from './model-store.ts';
import { opfsRoot, type OpfsStoreOptions } from './opfs-root.ts';
import type { RemoteModel } from './remote-model.ts';
import { StorageError, storageError } from './storage-error.ts';
import { type Job, openStoredModel, storeModel, type WantedFile } from './store-model.ts';
import { openStored, type OpenStoredFile, type StoredFile } from './stored-file.ts';
import { listModels, missingBytesOf } from './stored-model.ts';

/** Nothing happens until it is used. StorageError then, where the browser has no such storage. */
export function opfsStore(options: OpfsStoreOptions = {}): ModelStore {
  const root = opfsRoot(options);
  return {
    isKept: true,
    list: async () => listModels(await root.open()),
    plan: async (model) => ({
      bytes: model.bytes,
      missingBytes: await missingBytesOf(await root.model(model.name), filesOf(model)),
      freeBytes: await root.freeBytes(),
    }),
    download: (model, { policy, ...asked } = {}) => {
      const limit = createLimit(CONNECTIONS);
      const remotes = new Map(model.files.map(({ path, remote }) => [path, remote]));
      const { name, licences, own, client } = model;
      const { partBytes } = root;
      const how = { client, limit, segmentBytes: partBytes, ...(policy && { policy }) };
      const storing = {
        name,
        licences,
        own: Object.fromEntries(own),
        files: filesOf(model),
        store: async (path: string, file: StoredFile, at: FileSystemDirectoryHandle, job: Job) => {
          const remote = remotes.get(path);
          if (!remote) return;
          const partial = await openStored(at, file, { name: path, partBytes });
          await download(remote, partial, { ...job, ...how });
          await partial.finish();
        },
      };
      return storeModel(root, storing, asked);
    },
    keep: (name, { files }, asked = {}) => {
      const { partBytes } = root;
      const wanted = [...files].map(([path, blob]) => [path, wantedFile(path, blob)] as const);
      const storing = {
        name,
        licences: [],
        own: {},
        files: Object.fromEntries(wanted),
        store: async (path: string, file: StoredFile, at: FileSystemDirectoryHandle, job: Job) => {
          const blob = files.get(path);
          if (blob)
            await copy(path, blob, await openStored(at, file, { name: path, partBytes }), job);
        },
      };
      return storeModel(root, storing, asked);
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

const filesOf = ({ files }: RemoteModel): Readonly<Record<string, StoredFile>> =>
  Object.fromEntries(files.map(({ path, remote: { size, id } }) => [path, { size, id }]));

/** Given again, a file is known by its name and time; a Blob that has neither by what is in it. */
const wantedFile = (name: string, blob: Blob): WantedFile => ({
  size: blob.size,
  id:
    blob instanceof File
      ? `${blob.name} ${blob.lastModified}`
      : async (options) =>
          `sha256 ${await digestOfBlob(blob, { ...options, algorithm: 'sha256', name })}`,
});

const COPY_BYTES = 4 * 2 ** 20;

async function copy(
  name: string,
  blob: Blob,
  stored: OpenStoredFile,
  { signal, onBytes, onCheck }: Job,
): Promise<void> {
  try {
    onBytes(lengthOf(stored.done));
    for (const [begin, end] of missing(stored.done, blob.size, COPY_BYTES)) {
      signal.throwIfAborted();
      await stored.write(await bytesOfBlob(blob.slice(begin, end), name), begin);
      onBytes(end - begin);
    }
  } finally {
    await stored.close();
  }
  onCheck(blob.size);
  await stored.finish();
}
