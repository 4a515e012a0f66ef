/** Files that exist whole or not at all, whatever ends the process. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { reasonOf } from './errors.ts';

/** The work was done, but its result could not be stored. */
class WriteError extends Error {
  override readonly name = 'WriteError';
}

/** Temporary files that exist now. */
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
    await mkdir(folder, { recursive: true });
    await writeFile(partial, data, { flag: 'wx' });
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => {});
    if (cause instanceof Error && cause.name === 'AbortError') throw cause;
    throw new WriteError(
      `cannot write ${file}: ${reasonOf(cause)}; choose another place or make room`,
      { cause },
    );
  } finally {
    partials.delete(partial);
  }
}

/** For the moment before the process is killed. */
export function removePartials(): void {
  for (const partial of partials) rmSync(partial, { force: true });
}
