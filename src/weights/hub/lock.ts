/** One pull at a time into one place: a file with the process id, void when that process is gone. */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '../reason.ts';
import { diskError, HubError } from './error.ts';

/** Runs the action under the lock; HubError at once where another process has it. */
export async function withLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  if (!(await acquire(path))) {
    const holder = await readHolder(path);
    if (holder !== undefined && isAlive(holder)) {
      throw new HubError(
        `another invsr (process ${holder}) is fetching to the same place; wait for it, or remove ${path}`,
      );
    }
    await rm(path, { force: true }); // left by a process that was killed
    if (!(await acquire(path))) throw new HubError(`${path} cannot be taken; try again`);
  }
  try {
    return await action();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'wx');
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false;
    throw diskError(path, cause);
  }
}

async function readHolder(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Whether another process has this id. */
export function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0); // signal 0 asks only
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
