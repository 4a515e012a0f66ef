/** Files and folders on disk. Only this file, node-cache.ts and hub/ import from Node here. */
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from './error.ts';
import { type Folder, notFound } from './folder.ts';
import { codeOf, reasonOf } from './reason.ts';
import { type ByteSource, cutShort } from './source.ts';

export async function fileSource(path: string): Promise<ByteSource> {
  const file: FileHandle = await open(path, 'r').catch((cause: unknown) => {
    throw new CheckpointError(`${path}: cannot be opened (${reasonOf(cause)})`, { cause });
  });
  const size = async () => (await file.stat()).size;
  const fill: Required<ByteSource>['readInto'] = async (offset, bytes, signal) => {
    signal?.throwIfAborted();
    const { length } = bytes;
    // One call may return less than asked, e.g. above 2 GiB.
    for (let done = 0; done < length;) {
      const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw cutShort(path, offset + length, await size());
      done += bytesRead;
      signal?.throwIfAborted();
    }
  };
  return {
    name: path,
    size,
    read: async (offset, length, signal) => {
      signal?.throwIfAborted();
      const bytes = new Uint8Array(length);
      await fill(offset, bytes, signal);
      return bytes;
    },
    readInto: fill,
    close: () => file.close(),
  };
}

/** A small file whole, e.g. `config.json`; CheckpointError where it cannot be read. */
export const textOf = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CheckpointError(`${path}: cannot be read (${reasonOf(cause)})`, { cause });
  });

export function nodeFolder(path: string): Folder {
  const list = async (): Promise<string[]> => {
    try {
      const entries = await readdir(path, { withFileTypes: true });
      // Hugging Face's cache holds symbolic links to the files.
      return entries.filter((e) => e.isFile() || e.isSymbolicLink()).map((e) => e.name);
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return [];
      throw new CheckpointError(`${path}: cannot be listed (${reasonOf(cause)})`, { cause });
    }
  };
  const found = async <T>(file: string, action: (path: string) => Promise<T>): Promise<T> => {
    try {
      return await action(join(path, file));
    } catch (error) {
      const cause = error instanceof CheckpointError ? error.cause : error;
      if (codeOf(cause) === 'ENOENT') throw notFound(path, file, await list());
      throw error;
    }
  };
  return {
    name: path,
    list,
    open: (file) => found(file, fileSource),
    readText: (file) => found(file, textOf),
    folder: (name) => nodeFolder(join(path, name)),
  };
}
