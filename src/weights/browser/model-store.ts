/** What keeps models for a page: the browser's storage (opfs-store.ts), or memory (memory-store.ts). */
import type { BlobFolder } from '../folder.ts';
import type { RetryPolicy } from '../hub/retry.ts';
import type { RemoteModel } from './remote-model.ts';
import type { StoreOptions } from './store-model.ts';
import type { StoredModel } from './stored-model.ts';

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
  /** Models outlive the page. */
  readonly isKept: boolean;
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
   * room, or no storage. CheckpointError: a file cannot be read any more.
   */
  keep(name: string, model: BlobFolder, options?: StoreOptions): Promise<BlobFolder>;
  /** Without a network; undefined where it is not complete. */
  open(name: string): Promise<BlobFolder | undefined>;
  /** Ends what reads it, in every tab. StorageError where a tab is storing it. */
  remove(name: string): Promise<void>;
}

/** Requests at a time: files share them, a large file takes several. */
export const CONNECTIONS = 4;
/** What a connection fetches at a time, where nothing else is asked for. */
export const PART_BYTES = 16 * 2 ** 20;
