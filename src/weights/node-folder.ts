/** Folders on disk. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it. Like mkdirSync with `recursive`, which Node 20 never comes back
 * from where the system answers ENOENT in a folder that exists (such as /proc).
 */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!existsSync(folder)) throw error; // else somebody else was quicker
  }
}
