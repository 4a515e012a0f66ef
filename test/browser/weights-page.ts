/** What the page of weights.test.ts can do, in the window and, by `inWorker`, in a worker. */
import { openModel } from '../../src/invsr/model.ts';
import {
  droppedFolder,
  fetchFolder,
  hubModel,
  opfsStore,
  StorageError,
  type StoredModel,
} from '../../src/browser.ts';
import type { Folder } from '../../src/weights/folder.ts';

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
  /** The largest, and the last. */
  readonly loaded: readonly [number, number];
  readonly checked: number;
}

export interface FetchAsk {
  readonly endpoint: string;
  readonly partBytes: number;
  /** Aborts when so many bytes are there. */
  readonly abortAt?: number;
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
  async fetch({ endpoint, partBytes, abortAt, quota }: FetchAsk): Promise<Fetched> {
    const storage = {
      getDirectory: () => navigator.storage.getDirectory(),
      estimate: async () =>
        quota === undefined
          ? navigator.storage.estimate()
          : { ...(quota !== null && { quota }), usage: 0 },
    };
    const abort = new AbortController();
    let waited = false;
    let most = 0;
    let last = 0;
    let checked = 0;
    const outcome = async (): Promise<Pick<Fetched, 'failure' | 'files'>> => {
      try {
        const model = await hubModel('sd-turbo', { endpoint, stallMs: 5000 });
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
    return { ...(await outcome()), waited, loaded: [most, last], checked };
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
  /** Fetches invsr-nano whole, drops its files, keeps them, and opens what was kept. */
  async keepNano(address: string): Promise<readonly string[]> {
    const nano = await fetchFolder(address);
    const dropped = new DataTransfer();
    const { files } = await nanoFiles(nano);
    for (const file of files) dropped.items.add(file);
    const { files: model } = await droppedFolder(files);
    const store = opfsStore();
    await store.keep('mine', model);
    const again = await store.keep('mine', model);
    const kept = await openModel(again);
    await kept.close();
    return [...(await again.list())];
  },
  async drop(
    files: readonly (readonly [name: string, text: string])[],
  ): Promise<Failure | undefined> {
    const dropped = new DataTransfer();
    for (const [name, text] of files) dropped.items.add(new File([text], name));
    try {
      await droppedFolder(dropped);
      return undefined;
    } catch (error) {
      return failureOf(error);
    }
  },
};

async function nanoFiles(nano: Folder): Promise<{ readonly files: readonly File[] }> {
  const files: File[] = [];
  for (const [folder, inner] of [
    ['', nano],
    ...['unet', 'vae', 'noise_predictor', 'scheduler'].map(
      (name) => [`${name}/`, nano.folder(name)] as const,
    ),
  ] as const) {
    for (const name of await inner.list()) {
      const source = await inner.open(name);
      const bytes = await source.read(0, await source.size());
      const file = new File([bytes], name, { lastModified: 1 });
      Object.defineProperty(file, 'webkitRelativePath', { value: `nano/${folder}${name}` });
      files.push(file);
    }
  }
  return { files };
}

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
