/**
 * A folder of files, wherever it is: on disk (node-file.ts), behind a URL, in memory, or in Blobs.
 *
 * URLs cannot be listed. `urlFolder` takes the list of files, reads it from a manifest, or else asks for
 * the few names that Hugging Face repositories use (known-files.ts).
 */
import { CheckpointError } from './error.ts';
import { MANIFEST, parseManifest } from './hub/manifest.ts';
import {
  blobSource,
  type ByteSource,
  bytesSource,
  httpSource,
  type HttpOptions,
  notFetched,
  refusal,
} from './source.ts';

/** Read access to a folder; CheckpointError where a file is missing or cannot be read. */
export interface Folder {
  /** Path or URL, for messages. */
  readonly name: string;
  /** Names of the files directly in it. */
  list(): Promise<readonly string[]>;
  /** Ranged reads of one file; whoever opens it closes it. */
  open(file: string): Promise<ByteSource>;
  /** The whole of a small file, e.g. `config.json`. */
  readText(file: string): Promise<string>;
  /** A folder inside, whether or not it exists: `list` finds out. */
  folder(name: string): Folder;
}

export interface UrlFolderOptions extends HttpOptions {
  /**
   * Every file, as paths relative to the folder.
   * @default those of its `invsr-manifest.json`, else the names Hugging Face uses, tried, which the browser's
   * console shows where they are not there
   */
  readonly files?: readonly string[];
}

/**
 * A folder behind an absolute URL, on a server that answers Range requests. Nothing is fetched
 * until it is read; CheckpointError then, where the server refuses.
 */
export function urlFolder(url: string | URL, options: UrlFolderOptions = {}): Folder {
  const { files, headers = {} } = options;
  let asked: Promise<readonly string[] | undefined> | undefined;
  return folderAt(new URL(url), headers, async (manifest) => {
    return files ?? (asked ??= listedFiles(manifest, headers));
  });
}

/** Undefined where there is no manifest; servers of single pages answer with their page. */
async function listedFiles(
  manifest: URL,
  headers: Readonly<Record<string, string>>,
): Promise<readonly string[] | undefined> {
  try {
    const response = await fetch(manifest, { headers });
    const text = await response.text();
    return response.ok ? Object.keys(parseManifest(text, manifest.href).files) : undefined;
  } catch {
    return undefined;
  }
}

/** `listed` is given the address where the manifest would be. */
function folderAt(
  url: URL,
  headers: Readonly<Record<string, string>>,
  listed: (manifest: URL) => Promise<readonly string[] | undefined>,
): Folder {
  const base = new URL(url);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  // A query (an access token, `?download=true`) belongs to every file.
  const at = (file: string): URL => {
    const address = new URL(file.split('/').map(encodeURIComponent).join('/'), base);
    address.search = base.search;
    return address;
  };
  const answerOf = (file: string, method: 'GET' | 'HEAD'): Promise<Response> =>
    fetch(at(file), { method, headers }).catch((cause: unknown) => {
      throw notFetched(String(at(file)), cause);
    });
  return {
    name: base.href,
    list: async () => {
      const files = await listed(at(MANIFEST));
      if (files) return files.filter((file) => !file.includes('/'));
      const { findFiles } = await import('./known-files.ts');
      const name = base.pathname.split('/').at(-2) ?? '';
      return findFiles(name, async (file) => (await answerOf(file, 'HEAD')).ok);
    },
    open: async (file) => httpSource(at(file), { headers }),
    readText: async (file) => {
      const response = await answerOf(file, 'GET');
      if (!response.ok) throw new CheckpointError(`${at(file)}: ${refusal(response)}`);
      return response.text();
    },
    folder: (name) =>
      folderAt(at(name), headers, async () => {
        const files = await listed(at(MANIFEST));
        return files
          ?.filter((file) => file.startsWith(`${name}/`))
          .map((file) => file.slice(name.length + 1));
      }),
  };
}

/** Files by path; `/` separates folders. `open` gives the bytes of one, under a name for messages. */
export function filesFolder<File>(
  name: string,
  files: ReadonlyMap<string, File>,
  open: (name: string, file: File) => ByteSource | Promise<ByteSource>,
): Folder {
  const names = [...files.keys()].filter((file) => !file.includes('/'));
  const openAt = async (path: string): Promise<ByteSource> => {
    const file = files.get(path);
    if (file === undefined) throw notFound(name, path, names);
    return open(`${name}/${path}`, file);
  };
  return {
    name,
    list: async () => names,
    open: openAt,
    readText: async (path) => {
      const source = await openAt(path);
      try {
        return new TextDecoder().decode(await source.read(0, await source.size()));
      } finally {
        await source.close();
      }
    },
    folder: (inner) => {
      const below = [...files].filter(([path]) => path.startsWith(`${inner}/`));
      const cut = below.map(([path, file]) => [path.slice(inner.length + 1), file] as const);
      return filesFolder(`${name}/${inner}`, new Map(cut), open);
    },
  };
}

export const memoryFolder = (
  name: string,
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
): Folder => filesFolder(name, files, bytesSource);

/** A folder that can be sent to a worker: the files are cloned there without their bytes. */
export interface BlobFolder extends Folder {
  /** By path; `/` separates folders. */
  readonly files: ReadonlyMap<string, Blob>;
}

/** Of a file picker, dropped files, or a browser's storage. */
export const blobFolder = (name: string, files: ReadonlyMap<string, Blob>): BlobFolder => ({
  ...filesFolder(name, files, (path, blob) => blobSource(blob, path)),
  files,
});

export function notFound(
  folder: string,
  file: string,
  present: readonly string[],
): CheckpointError {
  const shown = present.slice(0, 8).join(', ') + (present.length > 8 ? ', …' : '');
  return new CheckpointError(
    `${folder}: no ${file}; ${present.length > 0 ? `the folder has ${shown}` : 'the folder is empty or does not exist'}`,
  );
}
