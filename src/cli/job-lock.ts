/** Whose a picture's journal (job-folder.ts) is: one process at a time works in its folder. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isAlive } from '../weights/hub/lock.ts';
import { makeFolder } from '../weights/node-folder.ts';
import { InputError, setResumable } from './errors.ts';
import { addPartial, keepPartial, writeError } from './whole-file.ts';

export const folderOf = (output: string): string =>
  join(dirname(output), `.${basename(output).slice(0, 200)}.invsr-part`);

/** Makes the folder, or takes over one that no other process works in. */
export function lockFolder(output: string): void {
  const folder = folderOf(output);
  try {
    makeFolder(folder);
  } catch (cause) {
    throw writeError(output, cause);
  }
  const lock = join(folder, 'lock');
  const owner = Number(readOr(lock, ''));
  if (owner > 0 && isAlive(owner)) {
    throw new InputError(
      `${output} is being made by process ${owner}; wait for it, or delete ${lock} if that is no invsr`,
    );
  }
  if (!hasJournal(output)) addPartial(folder);
  setResumable(false);
  try {
    writeFileSync(lock, String(process.pid));
  } catch (cause) {
    throw writeError(output, cause);
  }
}

/** Whether an earlier process left a journal here, of whatever job. */
export const hasJournal = (output: string): boolean =>
  readOr(join(folderOf(output), 'job.json'), '') !== '';

/** Ends the work in a folder, which stays where it is worth something. */
export function unlockFolder(output: string, { keep }: { readonly keep: boolean }): void {
  const folder = folderOf(output);
  rmSync(keep ? join(folder, 'lock') : folder, { recursive: true, force: true });
  keepPartial(folder);
  setResumable(keep);
}

function readOr(file: string, fallback: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return fallback;
  }
}
