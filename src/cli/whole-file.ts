/** Files that exist whole or not at all, whatever ends the process. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeFolder } from '../weights/node-folder.ts';
import { reasonOf, WriteError } from './errors.ts';

/** Temporary files and folders that exist now and are worth nothing. */
const partials = new Set<string>();

/**
 * Writes beside `file` and renames; makes the folder; leaves nothing behind on failure. A generator's
 * pieces are written one after another, so that it may reuse their memory.
 */
export async function writeWhole(
  file: string,
  data: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const folder = dirname(file);
  const name = `.${basename(file).slice(0, 200)}.${randomBytes(4).toString('hex')}.part`;
  const partial = join(folder, name);
  partials.add(partial);
  try {
    makeFolder(folder);
    await writeFile(partial, data, { flag: 'wx' });
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => {});
    if (cause instanceof Error && cause.name === 'AbortError') throw cause;
    throw writeError(file, cause);
  } finally {
    partials.delete(partial);
  }
}

/**
 * Like `writeWhole`, and on the disk when it returns: after a power cut there is the old content or
 * the new. The name beside is fixed: only one process may write `file`.
 */
export async function replaceFile(file: string, data: Uint8Array | string): Promise<void> {
  const beside = `${file}.new`;
  const handle = await open(beside, 'w');
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
}

export const writeError = (file: string, cause: unknown): WriteError =>
  new WriteError(`cannot write ${file}: ${reasonOf(cause)}; choose another place or make room`, {
    cause,
  });

/** Removed with everything in it should the process be killed, until `keepPartial`. */
export const addPartial = (path: string): void => void partials.add(path);
export const keepPartial = (path: string): void => void partials.delete(path);

/** For the moment before the process is killed. */
export function removePartials(): void {
  for (const partial of partials) rmSync(partial, { recursive: true, force: true });
}
