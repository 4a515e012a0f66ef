/** Files and folders on disk. Only this file, mapped-folder.ts, node-cache.ts and hub/ import from Node here. */
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from './error.ts';
import { type Folder, notFound } from './folder.ts';
import { type ByteSource, cutShort } from './source.ts';

export async function fileSource(path: string): Promise<ByteSource> {
  const file: FileHandle = await open(path, 'r').catch((cause: unknown) => {
    const reason = codeOf(cause) === 'ENOENT' ? 'no such file' : codeOf(cause);
    throw new CheckpointError(`${path}: cannot be opened (${reason})`, { cause });
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

export function nodeFolder(path: string): Folder {
  const list = async (): Promise<string[]> => {
    try {
      const entries = await readdir(path, { withFileTypes: true });
      // Hugging Face's cache holds symbolic links to the files.
      return entries.filter((e) => e.isFile() || e.isSymbolicLink()).map((e) => e.name);
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return [];
      throw new CheckpointError(`${path}: cannot be listed (${codeOf(cause)})`, { cause });
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
    readText: (file) => found(file, (at) => readFile(at, 'utf8')),
    folder: (name) => nodeFolder(join(path, name)),
  };
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);
