/**
 * One model in the Origin Private File System:
 *
 *   <model>/model.json      what it consists of, written before the first byte of it
 *   <model>/files/<path>/   one file (stored-file.ts)
 */
import { isInside } from '../hub/manifest.ts';
import { readText, writeText } from './file-writer.ts';
import type { ModelLicence } from './remote-model.ts';
import { namesIn, storedBlob, storedBytes, type StoredFile } from './stored-file.ts';

export interface ModelNote {
  readonly licences: readonly ModelLicence[];
  /** By path in the model's folder. */
  readonly files: Readonly<Record<string, StoredFile>>;
  /** Files that are texts of this library. */
  readonly own: Readonly<Record<string, string>>;
}

const NOTE = 'model.json';

export async function readModelNote(
  folder: FileSystemDirectoryHandle,
): Promise<ModelNote | undefined> {
  try {
    const note = JSON.parse((await readText(folder, NOTE)) ?? '') as Partial<ModelNote> | null;
    const { files, own = {}, licences = [] } = note ?? {};
    if (!files || !Object.keys(files).every(isInside)) return undefined;
    return { files, own, licences };
  } catch {
    return undefined; // torn by a crash, or of a newer version of this library
  }
}

/** What the model does not consist of, such as files of an older state of it, is removed. */
export async function writeModelNote(
  folder: FileSystemDirectoryHandle,
  note: ModelNote,
): Promise<void> {
  await writeText(folder, NOTE, JSON.stringify(note));
  const files = await folderAt(folder, ['files'], false);
  if (files) await removeOthers(files, Object.keys(note.files));
}

/** All but `paths`, which begin at `folder`. */
async function removeOthers(
  folder: FileSystemDirectoryHandle,
  paths: readonly string[],
): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (paths.includes(name)) continue;
    const inner = paths.flatMap((path) =>
      path.startsWith(`${name}/`) ? path.slice(name.length + 1) : [],
    );
    if (inner.length > 0) await removeOthers(await folder.getDirectoryHandle(name), inner);
    else await folder.removeEntry(name, { recursive: true });
  }
}

async function folderAt(
  folder: FileSystemDirectoryHandle,
  path: readonly string[],
  create: boolean,
): Promise<FileSystemDirectoryHandle | undefined> {
  let at = folder;
  for (const name of path) {
    const next = await at.getDirectoryHandle(name, { create }).catch((error: unknown) => {
      if (create) throw error;
      return undefined;
    });
    if (!next) return undefined;
    at = next;
  }
  return at;
}

const fileFolder = (
  folder: FileSystemDirectoryHandle,
  path: string,
  create: boolean,
): Promise<FileSystemDirectoryHandle | undefined> =>
  folderAt(folder, ['files', ...path.split('/')], create);

/** Made where it is not there. */
export async function makeFileFolder(
  folder: FileSystemDirectoryHandle,
  path: string,
): Promise<FileSystemDirectoryHandle> {
  const made = await fileFolder(folder, path, true);
  if (!made) throw new Error(`${path} was not made`);
  return made;
}

/** Every file of the model as a Blob over the storage; undefined where one is not there. */
export async function modelBlobs(
  folder: FileSystemDirectoryHandle,
  { files, own }: ModelNote,
): Promise<ReadonlyMap<string, Blob> | undefined> {
  const blobs = new Map<string, Blob>();
  for (const [path, text] of Object.entries(own)) blobs.set(path, new Blob([text]));
  for (const [path, file] of Object.entries(files)) {
    const inner = await fileFolder(folder, path, false);
    const blob = inner && (await storedBlob(inner, file));
    if (!blob) return undefined;
    blobs.set(path, blob);
  }
  return blobs;
}

/** Files by path; without an id any of the size is it. */
export type Sizes = Readonly<
  Record<string, { readonly size: number; readonly id: string | undefined }>
>;

export async function missingBytesOf(
  folder: FileSystemDirectoryHandle | undefined,
  files: Sizes,
): Promise<number> {
  let missing = 0;
  for (const [path, file] of Object.entries(files)) {
    const inner = folder && (await fileFolder(folder, path, false));
    missing += file.size - (inner ? await storedBytes(inner, file) : 0);
  }
  return missing;
}

export interface StoredModel {
  readonly name: string;
  /** Of all its files; of those that are there, where `problem` hides which there should be. */
  readonly bytes: number;
  /** Of those that are there. */
  readonly storedBytes: number;
  /** All files are there, and right. */
  readonly isComplete: boolean;
  readonly licences: readonly ModelLicence[];
  /** Why it cannot be opened although it takes room: one sentence, with what to do. */
  readonly problem?: string;
}

const UNREADABLE =
  'what it consists of cannot be read: a crash tore the note, or a newer version of this page wrote it; download or drop the model again, which keeps the files that are right, or remove it';

/** Complete, begun or damaged. */
export async function listModels(root: FileSystemDirectoryHandle): Promise<StoredModel[]> {
  const result: StoredModel[] = [];
  for (const name of (await namesIn(root)).toSorted()) {
    // Another tab may have removed it since.
    const folder = await root.getDirectoryHandle(name).catch(() => undefined);
    if (!folder) continue;
    const note = await readModelNote(folder);
    if (!note) {
      const bytes = await bytesIn(folder).catch(() => 0); // removed meanwhile
      const damaged = { isComplete: false, licences: [], problem: UNREADABLE };
      // Nothing: another tab is about to begin it.
      if (bytes > 0) result.push({ name, bytes, storedBytes: bytes, ...damaged });
      continue;
    }
    const bytes = Object.values(note.files).reduce((sum, { size }) => sum + size, 0);
    result.push({
      name,
      bytes,
      storedBytes: bytes - (await missingBytesOf(folder, note.files)),
      isComplete: (await modelBlobs(folder, note)) !== undefined,
      licences: note.licences,
    });
  }
  return result;
}

/** Of all that lies in a folder. */
async function bytesIn(folder: FileSystemDirectoryHandle): Promise<number> {
  let bytes = 0;
  for await (const entry of folder.values()) {
    bytes +=
      entry instanceof FileSystemFileHandle ? (await entry.getFile()).size : await bytesIn(entry);
  }
  return bytes;
}
