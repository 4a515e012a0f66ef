/** The folder of models in the origin's storage, its room, and the lock of each model. */
import { PART_BYTES } from './model-store.ts';
import { StorageError, storageError } from './storage-error.ts';

export interface OpfsStoreOptions {
  /** Folder in the origin's storage. @default 'invsr' */
  readonly folder?: string;
  /**
   * What a connection fetches at a time; on the main thread, what a reload loses of each of four.
   * What another size has begun is fetched again. @default 16 MiB
   */
  readonly partBytes?: number;
  /** @default navigator.storage */
  readonly storage?: Pick<StorageManager, 'getDirectory' | 'estimate'> & Partial<StorageManager>;
}

export interface OpfsRoot {
  /** Made where it is not there. */
  open(): Promise<FileSystemDirectoryHandle>;
  /** Undefined where there is none of that name. */
  model(name: string): Promise<FileSystemDirectoryHandle | undefined>;
  /** As the browser estimates it; undefined where it does not. */
  freeBytes(): Promise<number | undefined>;
  /** Asks the browser not to clear the storage. A window can ask; a worker cannot. */
  persist(): Promise<void>;
  /** One tab at a time works on a model. */
  lockOf(name: string): string;
  readonly partBytes: number;
}

/**
 * What a storage that the page will never have is told by: UnknownError in private windows of Safari, which names it
 * "transient" there (https://github.com/rhashimoto/wa-sqlite/issues/237).
 */
const GIVES_NONE = new Set([
  'SecurityError',
  'NotAllowedError',
  'NotSupportedError',
  'UnknownError',
]);

/**
 * Nothing happens until it is used. StorageError then: `unsupported` where the browser gives the page no such storage,
 * `failed` or `quota` where it does not open now.
 */
export function opfsRoot({
  folder = 'invsr',
  partBytes = PART_BYTES,
  storage = globalThis.navigator?.storage,
}: OpfsStoreOptions): OpfsRoot {
  const open = async (): Promise<FileSystemDirectoryHandle> => {
    if (!storage || !('getDirectory' in storage) || !globalThis.navigator?.locks) {
      throw new StorageError(
        'this page cannot keep models: that needs https:// (or localhost) and a browser with the Origin Private File System',
        { problem: 'unsupported' },
      );
    }
    try {
      return await (await storage.getDirectory()).getDirectoryHandle(folder, { create: true });
    } catch (cause) {
      if (!(cause instanceof Error && GIVES_NONE.has(cause.name))) {
        throw storageError('open the folder of models', cause);
      }
      throw new StorageError(
        `this browser gives the page no storage (${cause.message}); private windows and blocked site data do that`,
        { problem: 'unsupported', cause },
      );
    }
  };
  return {
    open,
    partBytes,
    model: async (name) => (await open()).getDirectoryHandle(name).catch(() => undefined),
    freeBytes: async () => {
      const { quota, usage = 0 } = await storage.estimate();
      return quota === undefined ? undefined : Math.max(0, quota - usage);
    },
    persist: async () => void (await storage.persist?.().catch(() => false)),
    lockOf: (name) => `invsr-weights/${folder}/${name}`,
  };
}
