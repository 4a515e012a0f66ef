/** Room on a disk, asked before much is written. */
import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Where `path` lies or will lie; undefined where the system does not tell. */
export async function freeBytesAt(path: string): Promise<number | undefined> {
  // What does not exist yet will be made on the disk of the nearest folder that does.
  for (let at = resolve(path); ; at = dirname(at)) {
    const info = await statfs(at).catch(() => undefined);
    if (info) return info.bavail * info.bsize;
    if (at === dirname(at)) return undefined;
  }
}
