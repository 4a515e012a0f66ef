/**
 * A file of a model in the Origin Private File System: a folder of parts of equal size and a note.
 *
 *   unet/config.json/note.json   { size, id, partBytes, version?, isWhole }
 *   unet/config.json/0, 1, 2 …   bytes, each part filled from its beginning
 *
 * The length of a part says which of its bytes are there: no part has bytes that were not written, or
 * of another version than the note's. Parts, because createWritable gives all bytes of a file or none
 * of them and copies the file to go on; and several can be fetched at a time.
 * Killed at any moment, a later run goes on with what is there; a worker loses nothing, the main thread
 * the parts under way. After a power failure bytes may be missing: the checksum says so.
 */
import { grouped } from '../error.ts';
import type { PartialFile } from '../hub/download.ts';
import { add, lengthOf, type Ranges } from '../hub/ranges.ts';
import { faultOfStored } from './blob-digest.ts';
import { type FileWriter, openWriter, readText, writeText } from './file-writer.ts';
import { storageError } from './storage-error.ts';

interface Note extends Split {
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

interface Split {
  readonly size: number;
  readonly partBytes: number;
}

const partsOf = ({ size, partBytes }: Split): number => Math.ceil(size / partBytes);
const bytesOfPart = ({ size, partBytes }: Split, part: number): number =>
  Math.min(partBytes, size - part * partBytes);

const partFile = (
  folder: FileSystemDirectoryHandle,
  part: number,
): Promise<FileSystemFileHandle | undefined> =>
  folder.getFileHandle(String(part)).catch(() => undefined);

export interface StoredFile {
  readonly size: number;
  /** The checksum, or what else tells it from other files. */
  readonly id: string;
}

/** Any of that size, where it has no id. */
interface WantedFile extends Pick<StoredFile, 'size'> {
  readonly id: string | undefined;
}

/** The note, where it is of this file. */
async function noteOf(
  folder: FileSystemDirectoryHandle,
  { size, id }: WantedFile,
): Promise<Note | undefined> {
  const { partBytes = 0, version, isWhole = false, ...of } = await readNote(folder);
  if (of.id === undefined || of.size !== size || !(partBytes > 0)) return undefined;
  if (id !== undefined && id !== of.id) return undefined;
  return { size, id: of.id, partBytes, version, isWhole };
}

/** The whole of a file, if it is there; its bytes stay in the storage. */
export async function storedBlob(
  folder: FileSystemDirectoryHandle,
  file: StoredFile,
): Promise<Blob | undefined> {
  const note = await noteOf(folder, file);
  if (note?.isWhole !== true) return undefined;
  const blob = await partsBlob(folder, note);
  // Browsers may clear storage behind our back.
  return blob.size === file.size ? blob : undefined;
}

async function partsBlob(folder: FileSystemDirectoryHandle, split: Split): Promise<Blob> {
  const parts: File[] = [];
  for (let part = 0; part < partsOf(split); part++) {
    const file = await (await partFile(folder, part))?.getFile();
    if (file) parts.push(file);
  }
  return new Blob(parts);
}

/** Bytes that an earlier, interrupted run left. */
async function storedRanges(folder: FileSystemDirectoryHandle, split: Split): Promise<Ranges> {
  let done: Ranges = [];
  for (let part = 0; part < partsOf(split); part++) {
    const { size = 0 } = (await (await partFile(folder, part))?.getFile()) ?? {};
    const begin = part * split.partBytes;
    if (size <= bytesOfPart(split, part)) done = add(done, [begin, begin + size]);
  }
  return done;
}

export async function storedBytes(
  folder: FileSystemDirectoryHandle,
  file: WantedFile,
): Promise<number> {
  const note = await noteOf(folder, file);
  return note ? lengthOf(await storedRanges(folder, note)) : 0;
}

export interface OpenStoredFile extends PartialFile {
  /** After `close`: what was written is the file. */
  finish(): Promise<void>;
}

export interface OpenOptions {
  /** For messages. */
  readonly name: string;
  readonly partBytes: number;
}

/** StorageError where the storage refuses. */
export async function openStored(
  folder: FileSystemDirectoryHandle,
  file: StoredFile,
  { name, partBytes }: OpenOptions,
): Promise<OpenStoredFile> {
  const { size, id } = file;
  const split = { size, partBytes };
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

  const note = await noteOf(folder, file);
  let version = note?.version;
  let done: Ranges = [];
  let noting: Promise<void> | undefined;
  const writeNote = (isWhole: boolean): Promise<void> =>
    writeText(folder, NOTE, JSON.stringify({ ...split, id, version, isWhole } satisfies Note));
  const clear = async (): Promise<void> => {
    await closeAll().catch(() => {}); // what it holds goes anyway
    for (const entry of await namesIn(folder)) await folder.removeEntry(entry);
    done = [];
    version = undefined;
    noting = undefined;
  };
  await tried(async () => {
    if (note?.partBytes === partBytes) done = await storedRanges(folder, split);
    else await clear();
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
          const part = Math.floor(from / partBytes);
          const begin = part * partBytes;
          const end = begin + bytesOfPart(split, part);
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
    faultOf: async (expected, options) => {
      await tried(closeAll);
      const blob = await partsBlob(folder, split);
      if (blob.size !== size) return `has ${grouped(blob.size)} bytes, expected ${grouped(size)}`;
      return faultOfStored(blob, expected, { ...options, name });
    },
    close: () => tried(closeAll),
    finish: () => tried(() => writeNote(true)),
  };
}

/** Files and folders in it. */
export async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}
