/**
 * A file of a model in the Origin Private File System: a folder of parts of 16 MiB and a note.
 *
 *   unet/config.json/note.json   { size, id, version?, isWhole }
 *   unet/config.json/0, 1, 2 …   bytes, each part filled from its beginning
 *
 * The length of a part says which of its bytes are there: no part has bytes that were not written, or
 * of another version than the note's. Parts, because createWritable gives all bytes of a file or none
 * of them and copies the file to go on; and several can be fetched at a time.
 * Killed at any moment, a later run goes on with what is there; a worker loses nothing, the main thread
 * the parts under way. After a power failure bytes may be missing: the checksum says so.
 */
import { grouped } from '../error.ts';
import type { Checksum, Expected, HashOptions } from '../hub/checksum.ts';
import { mismatch } from '../hub/checksum.ts';
import type { PartialFile } from '../hub/download.ts';
import { add, lengthOf, type Ranges } from '../hub/ranges.ts';
import { createSha256 } from '../sha256.ts';
import { type FileWriter, openWriter, readText, writeText } from './file-writer.ts';
import { storageError } from './storage-error.ts';

/** What a connection fetches at a time. */
export const PART_BYTES = 16 * 2 ** 20;

interface Note {
  readonly size: number;
  /** The checksum, or what else tells it from other files. */
  readonly id: string;
  /** The server's ETag. */
  readonly version?: string | undefined;
  /** All bytes are there, and right. */
  readonly isWhole: boolean;
}

const NOTE = 'note.json';

async function readNote(folder: FileSystemDirectoryHandle): Promise<Partial<Note>> {
  try {
    return (JSON.parse((await readText(folder, NOTE)) ?? '') ?? {}) as Partial<Note>;
  } catch {
    return {}; // torn by a crash: as if there were none
  }
}

const partsOf = (size: number): number => Math.ceil(size / PART_BYTES);
const partBytes = (size: number, part: number): number =>
  Math.min(PART_BYTES, size - part * PART_BYTES);

const partFile = (
  folder: FileSystemDirectoryHandle,
  part: number,
): Promise<FileSystemFileHandle | undefined> =>
  folder.getFileHandle(String(part)).catch(() => undefined);

export interface StoredFile {
  readonly size: number;
  readonly id: string;
}

/** The whole of a file, if it is there; its bytes stay in the storage. */
export async function storedBlob(
  folder: FileSystemDirectoryHandle,
  { size, id }: StoredFile,
): Promise<Blob | undefined> {
  const note = await readNote(folder);
  if (note.id !== id || note.isWhole !== true) return undefined;
  const parts: File[] = [];
  for (let part = 0; part < partsOf(size); part++) {
    const file = await (await partFile(folder, part))?.getFile();
    // Browsers may clear storage behind our back.
    if (file?.size !== partBytes(size, part)) return undefined;
    parts.push(file);
  }
  return new Blob(parts);
}

/** Bytes that an earlier, interrupted run left. */
async function storedRanges(folder: FileSystemDirectoryHandle, size: number): Promise<Ranges> {
  let done: Ranges = [];
  for (let part = 0; part < partsOf(size); part++) {
    const { size: length = 0 } = (await (await partFile(folder, part))?.getFile()) ?? {};
    if (length > partBytes(size, part)) continue; // not ours
    done = add(done, [part * PART_BYTES, part * PART_BYTES + length]);
  }
  return done;
}

export async function storedBytes(
  folder: FileSystemDirectoryHandle,
  { size, id }: StoredFile,
): Promise<number> {
  return (await readNote(folder)).id === id ? lengthOf(await storedRanges(folder, size)) : 0;
}

export interface OpenStoredFile extends PartialFile {
  /** After `close`: what was written is the file. */
  finish(): Promise<void>;
}

/** `name` is for messages. StorageError where the storage refuses. */
export async function openStored(
  folder: FileSystemDirectoryHandle,
  file: StoredFile,
  name: string,
): Promise<OpenStoredFile> {
  const { size, id } = file;
  const tried = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (cause) {
      throw storageError(`write ${name}`, cause);
    }
  };
  const writers = new Map<number, Promise<FileWriter>>();
  const writerOf = (part: number): Promise<FileWriter> => {
    const opened =
      writers.get(part) ??
      folder
        .getFileHandle(String(part), { create: true })
        .then((handle) => openWriter(handle, { isKept: true }));
    writers.set(part, opened);
    return opened;
  };
  const closeWriter = async (part: number): Promise<void> => {
    const writer = writers.get(part);
    writers.delete(part);
    await (await writer)?.close();
  };
  const closeAll = async (): Promise<void> => {
    const closing = await Promise.allSettled([...writers.keys()].map(closeWriter));
    const failed = closing.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  };

  const note = await readNote(folder);
  let version = note.version;
  let done: Ranges = [];
  let noting: Promise<void> | undefined;
  const writeNote = (isWhole: boolean): Promise<void> =>
    writeText(folder, NOTE, JSON.stringify({ size, id, version, isWhole } satisfies Note));
  const clear = async (): Promise<void> => {
    await closeAll().catch(() => {}); // what it holds goes anyway
    for (const entry of await namesIn(folder)) await folder.removeEntry(entry);
    done = [];
    version = undefined;
    noting = undefined;
  };
  await tried(async () => {
    if (note.id !== id || note.size !== size) await clear();
    else done = await storedRanges(folder, size);
  });

  return {
    size,
    get done() {
      return done;
    },
    get version() {
      return version;
    },
    setVersion: (value) => {
      if (value !== version) noting = undefined;
      version = value;
    },
    write: (bytes, at) =>
      tried(async () => {
        // The note comes first: no bytes without the version that they are of.
        await (noting ??= writeNote(false));
        let from = at;
        for (let rest = bytes; rest.length > 0;) {
          const part = Math.floor(from / PART_BYTES);
          const begin = part * PART_BYTES;
          const end = begin + partBytes(size, part);
          const piece = rest.slice(0, end - from);
          await (await writerOf(part)).write(piece, from - begin);
          done = add(done, [from, from + piece.length]);
          from += piece.length;
          rest = rest.subarray(piece.length);
          if (from === end) await closeWriter(part);
        }
      }),
    save: async () => {}, // parts are closed when they are full
    reset: () => tried(clear),
    faultOf: async ({ checksum }: Expected, options: HashOptions = {}) => {
      await tried(closeAll);
      return faultOf(folder, { size, checksum }, options);
    },
    close: () => tried(closeAll),
    finish: () => tried(() => writeNote(true)),
  };
}

async function faultOf(
  folder: FileSystemDirectoryHandle,
  { size, checksum }: { readonly size: number; readonly checksum: Checksum | undefined },
  options: HashOptions,
): Promise<string | undefined> {
  const parts: File[] = [];
  for (let part = 0; part < partsOf(size); part++) {
    const file = await (await partFile(folder, part))?.getFile();
    if (file) parts.push(file);
  }
  const blob = new Blob(parts);
  if (blob.size !== size) return `has ${grouped(blob.size)} bytes, expected ${grouped(size)}`;
  return checksum && mismatch(checksum, await digestOfBlob(blob, checksum.algorithm, options));
}

/** Read 4 MiB at a time, which keeps a page that does this alive. */
const CHUNK = 4 * 2 ** 20;

export async function digestOfBlob(
  blob: Blob,
  algorithm: Checksum['algorithm'],
  { signal, onBytes = () => {} }: HashOptions = {},
): Promise<string> {
  if (algorithm === 'git-sha1') {
    // Those are small.
    const whole = new Blob([`blob ${blob.size}\0`, blob]);
    const digest = await crypto.subtle.digest('SHA-1', await whole.arrayBuffer());
    onBytes(blob.size);
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(
      '',
    );
  }
  const hash = createSha256();
  for (let at = 0; at < blob.size; at += CHUNK) {
    signal?.throwIfAborted();
    const bytes = new Uint8Array(await blob.slice(at, at + CHUNK).arrayBuffer());
    hash.update(bytes);
    onBytes(bytes.length);
  }
  return hash.digest();
}

/** Files and folders in it. */
export async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}
