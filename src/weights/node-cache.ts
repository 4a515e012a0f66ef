/** Small files kept on disk between runs, each whole or not at all. Never an error: it is a cache. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface NodeCache {
  read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * Files by key in the first of `folders` that can be written, and read from any of them.
 * `onFailure` is told why where none can. A file is called `<key>.<extension>`.
 */
export function nodeCache(
  folders: readonly string[],
  onFailure: (reason: unknown) => void = () => {},
  extension = 'safetensors',
): NodeCache {
  const fileOf = (folder: string, key: string): string => join(folder, `${key}.${extension}`);
  return {
    async read(key) {
      for (const folder of folders) {
        const bytes = await readFile(fileOf(folder, key)).catch(() => undefined);
        if (bytes) return new Uint8Array(bytes);
      }
      return undefined;
    },
    async write(key, bytes) {
      let failure: unknown;
      for (const folder of folders) {
        const partial = join(folder, `.${key}.${randomBytes(4).toString('hex')}.part`);
        try {
          await mkdir(folder, { recursive: true });
          await writeFile(partial, bytes, { flag: 'wx' });
          await rename(partial, fileOf(folder, key));
          return;
        } catch (error) {
          failure ??= error;
          await rm(partial, { force: true }).catch(() => {});
        }
      }
      onFailure(failure);
    },
  };
}
