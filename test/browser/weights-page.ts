/** What the page of weights.test.ts can do, in the window and, by `inWorker`, in a worker. */
import { openModel } from '../../src/invsr/model.ts';
import {
  droppedFolder,
  hubModel,
  opfsStore,
  servedModel,
  StorageError,
  type StoredModel,
} from '../../src/browser.ts';
import { blobFolder, type Folder } from '../../src/weights/folder.ts';

/** Of a command that may fail as it should. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly problem?: string;
  readonly neededBytes?: number | undefined;
  readonly freeBytes?: number | undefined;
}

export interface Fetched {
  readonly failure?: Failure;
  /** SHA-256 by path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly waited: boolean;
  /** The browser was asked not to clear the storage; it said no. */
  readonly hasAsked: boolean;
  /** The largest, and the last. */
  readonly loaded: readonly [number, number];
  readonly checked: number;
}

export interface FetchAsk {
  readonly endpoint: string;
  readonly partBytes: number;
  /** Aborts when so many bytes are there. */
  readonly abortAt?: number;
  /** A connection that says nothing for so long is given up. */
  readonly stallMs?: number;
  /** As if the browser said so; null: it does not say. */
  readonly quota?: number | null;
}

const SMALL = { attempts: 2, baseMs: 1, maxMs: 4, maxRetryAfterMs: 5000 };

const failureOf = (error: unknown): Failure => {
  const { name, message } = error as Error;
  if (!(error instanceof StorageError)) return { name, message };
  const { problem, neededBytes, freeBytes } = error;
  return { name, message, problem, neededBytes, freeBytes };
};

async function digests(folder: Folder, prefix = ''): Promise<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const file of await folder.list()) {
    const source = await folder.open(file);
    const bytes = await source.read(0, await source.size());
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    result[prefix + file] = Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
  }
  const inner = ['unet', 'vae', 'noise_predictor', 'scheduler', 'text_encoder', 'tokenizer'];
  if (prefix === '') {
    for (const name of inner) Object.assign(result, await digests(folder.folder(name), `${name}/`));
  }
  return result;
}

const commands = {
  async fetch({ endpoint, partBytes, abortAt, stallMs, quota }: FetchAsk): Promise<Fetched> {
    const storage = {
      getDirectory: () => navigator.storage.getDirectory(),
      estimate: async () =>
        quota === undefined
          ? navigator.storage.estimate()
          : { ...(quota !== null && { quota }), usage: 0 },
      persist: async () => {
        hasAsked = true;
        return false;
      },
    };
    const abort = new AbortController();
    let [waited, hasAsked] = [false, false];
    let most = 0;
    let last = 0;
    let checked = 0;
    const outcome = async (): Promise<Pick<Fetched, 'failure' | 'files'>> => {
      try {
        const model = await hubModel('sd-turbo', { endpoint, stallMs });
        const folder = await opfsStore({ storage, partBytes }).download(model, {
          signal: abort.signal,
          policy: SMALL,
          onWait: () => (waited = true),
          onProgress: ({ loadedBytes, checkedBytes }) => {
            most = Math.max(most, (last = loadedBytes));
            checked = checkedBytes;
            if (abortAt !== undefined && loadedBytes >= abortAt) abort.abort();
          },
        });
        return { files: await digests(folder) };
      } catch (error) {
        return { failure: failureOf(error) };
      }
    };
    return { ...(await outcome()), waited, hasAsked, loaded: [most, last], checked };
  },
  async stored(): Promise<Readonly<Record<string, string>> | undefined> {
    const folder = await opfsStore().open('sd-turbo');
    return folder && digests(folder);
  },
  list: async (): Promise<readonly StoredModel[]> => opfsStore().list(),
  async remove(name: string): Promise<Failure | undefined> {
    try {
      await opfsStore().remove(name);
      return undefined;
    } catch (error) {
      return failureOf(error);
    }
  },
  /** Keeps what is dropped on the page next, twice, and opens it from there. */
  async keepDropped(): Promise<Failure | readonly string[]> {
    addEventListener('dragover', (event) => event.preventDefault());
    const event = await new Promise<DragEvent>((resolve) => {
      addEventListener('drop', resolve, { once: true });
      document.title = 'waiting';
    });
    document.title = 'dropped';
    event.preventDefault();
    try {
      const { folder: dropped } = await droppedFolder(event.dataTransfer ?? []);
      const store = opfsStore();
      await store.keep('mine', dropped);
      const folder = await store.keep('mine', dropped);
      await (await openModel(folder)).close();
      return Object.keys(await digests(folder));
    } catch (error) {
      return failureOf(error);
    }
  },
  /** Keeps a file without name and time, and reads it there. */
  async keepText(path: string, text: string): Promise<string> {
    const given = blobFolder('given', new Map([[path, new Blob([text])]]));
    const kept = await opfsStore().keep('text', given);
    const at = path.split('/');
    const file = at.pop() ?? '';
    const source = await at
      .reduce((folder, name) => folder.folder(name), kept as Folder)
      .open(file);
    return new TextDecoder().decode(await source.read(0, await source.size()));
  },
  /**
   * Keeps two Blobs: what it read of them, and told of that, in order. `freeBytes`: as if the browser said so;
   * `isGone`: they cannot be read, as files that were changed.
   */
  async keepBlobs({ freeBytes = 1e9, isGone = false }): Promise<{
    readonly failure: Failure | undefined;
    readonly steps: readonly string[];
  }> {
    const steps: string[] = [];
    const storage = {
      getDirectory: () => navigator.storage.getDirectory(),
      estimate: async () => ({ quota: freeBytes, usage: 0 }),
    };
    const original = Object.getOwnPropertyDescriptor(Blob.prototype, 'arrayBuffer') ?? {};
    Blob.prototype.arrayBuffer = function (this: Blob) {
      steps.push(`read ${this.size}`);
      if (isGone) return Promise.reject(new DOMException('not as it was', 'NotReadableError'));
      return new Response(this).arrayBuffer();
    };
    try {
      const blobs = ['a', 'b'].map((path) => [path, new Blob([path.repeat(1000)])] as const);
      const given = blobFolder('given', new Map(blobs));
      const keeping = opfsStore({ storage, folder: 'keep-blobs' }).keep('mine', given, {
        onProgress: ({ checkedBytes, loadedBytes }) =>
          steps.push(`checked ${checkedBytes}, loaded ${loadedBytes}`),
      });
      return { failure: await keeping.then(() => undefined, failureOf), steps };
    } finally {
      Object.defineProperty(Blob.prototype, 'arrayBuffer', original);
    }
  },
  /** What a reader is told when another tab removes the model. */
  async readRemoved(address: string): Promise<Failure | undefined> {
    const folder = await keepNano(address);
    const source = await folder.folder('unet').open('config.json');
    await opfsStore().remove('invsr-nano');
    return source.read(0, 8).then(() => undefined, failureOf);
  },
  keepNano: async (address: string): Promise<void> => void (await keepNano(address)),
};

const keepNano = async (address: string): Promise<Folder> =>
  opfsStore().download(await servedModel(address));

export type Commands = typeof commands;
export type Call = <Name extends keyof Commands>(
  name: Name,
  ...input: Parameters<Commands[Name]>
) => ReturnType<Commands[Name]>;

declare global {
  var call: Call;
  var callInWorker: Call;
}

const call = ((name: keyof Commands, ...input: unknown[]) =>
  (commands[name] as (...input: unknown[]) => Promise<unknown>)(...input)) as Call;

if ('document' in globalThis) {
  globalThis.call = call;
  globalThis.callInWorker = ((name: keyof Commands, ...input: unknown[]) =>
    new Promise((resolve, reject) => {
      const worker = new Worker('page.js', { type: 'module' });
      worker.addEventListener('message', ({ data }) => {
        worker.terminate();
        resolve(data);
      });
      worker.addEventListener('error', ({ message }) => reject(new Error(message)));
      worker.postMessage([name, ...input], {});
    })) as unknown as Call;
} else {
  globalThis.addEventListener('message', ({ data: [name, ...input] }: MessageEvent) => {
    void (call as (...all: unknown[]) => Promise<unknown>)(name, ...input).then((result) =>
      globalThis.postMessage(result, {}),
    );
  });
}
