/**
 * A file on its way: `<name>` holds bytes in their final places (sparse), `<name>.json` says which,
 * and of which version of the file on the server. Killed at any moment, a later run goes on with
 * what the last saved note says; bytes written after it are fetched again.
 *
 * The note is not synchronised with the bytes: after a power failure it may promise bytes that the
 * disk lost, and the checksum of the whole file (checksum.ts) says so.
 */
import {
  type FileHandle,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import type { PartialFile } from './download.ts';
import { diskError } from './error.ts';
import { faultOf } from './file-checksum.ts';
import { add, isRanges, lengthOf, type Range, type Ranges } from './ranges.ts';

/** Ends the names of files that are not complete; huggingface_hub's own end in `.incomplete`. */
export const PARTIAL = '.invsr-part';

/** Bytes are noted at least this often. */
const SAVE_EVERY = 16 * 2 ** 20;

interface Note {
  readonly size: number;
  readonly version?: string | undefined;
  readonly done: Ranges;
}

const noteOf = (path: string): string => `${path}.json`;

/** What an earlier run left, or nothing where it does not fit the file's size. */
export async function readPartial(path: string, size: number): Promise<Note> {
  const nothing: Note = { size, done: [] };
  try {
    const note = JSON.parse(await readFile(noteOf(path), 'utf8')) as Partial<Note> | null;
    const there = await stat(path);
    if (note?.size !== size || there.size !== size || !isRanges(note.done, size)) return nothing;
    return { size, done: note.done, version: stringOf(note.version) };
  } catch {
    return nothing;
  }
}

const stringOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

export async function removePartial(path: string): Promise<void> {
  await rm(noteOf(path), { force: true });
  await rm(path, { force: true });
}

export type WriteAt = (file: FileHandle, bytes: Uint8Array, at: number) => Promise<void>;

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

/** `writeAt` is for tests: a disk that is full. */
export async function openPartial(
  path: string,
  size: number,
  writeAt: WriteAt = writeAll,
): Promise<PartialFile> {
  const onDisk = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (cause) {
      throw diskError(path, cause);
    }
  };
  let { done, version } = await readPartial(path, size);
  let unsaved = 0;
  let saving = Promise.resolve();
  const file = await onDisk(async () => {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, lengthOf(done) > 0 ? 'r+' : 'w+');
    await handle.truncate(size);
    return handle;
  });
  const write = async (): Promise<void> => {
    const note: Note = { size, version, done };
    unsaved = 0;
    // Renamed into place: whatever ends the process, the note is the old one or the new one.
    const fresh = `${noteOf(path)}.new`;
    await writeFile(fresh, JSON.stringify(note));
    await rename(fresh, noteOf(path));
  };
  // One after another: two writers of the same new note would mix.
  const save = (): Promise<void> => (saving = saving.then(() => onDisk(write)));
  return {
    size,
    get done() {
      return done;
    },
    get version() {
      return version;
    },
    setVersion: (value) => (version = value),
    write: async (bytes, at) => {
      await onDisk(() => writeAt(file, bytes, at));
      const range: Range = [at, at + bytes.length];
      done = add(done, range);
      unsaved += bytes.length;
      if (unsaved >= SAVE_EVERY) await save();
    },
    save,
    reset: async () => {
      done = [];
      version = undefined;
      await save();
    },
    faultOf: (expected, options) => faultOf(path, expected, options),
    close: async () => {
      try {
        await save();
      } finally {
        await file.close();
      }
    },
  };
}
