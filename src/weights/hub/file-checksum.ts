/** Checksums of files on disk. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { grouped } from '../error.ts';
import { codeOf, reasonOf } from '../reason.ts';
import { type Algorithm, type Expected, type HashOptions, mismatch } from './checksum.ts';

/** Reads the whole file, 4 MiB at a time. */
export async function digestOf(
  path: string,
  algorithm: Algorithm,
  { signal, onBytes }: HashOptions = {},
): Promise<string> {
  const hash = createHash(algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (algorithm === 'git-sha1') hash.update(`blob ${(await stat(path)).size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 4 * 2 ** 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Buffer);
    onBytes?.((chunk as Buffer).length);
  }
  return hash.digest('hex');
}

/** What is wrong with the file, in words; undefined where all that is known of it holds. */
export async function faultOf(
  path: string,
  { size, checksum }: Expected,
  options: HashOptions = {},
): Promise<string | undefined> {
  try {
    const { size: actual } = await stat(path);
    if (size !== undefined && actual !== size) {
      return `has ${grouped(actual)} bytes, expected ${grouped(size)}`;
    }
    if (checksum === undefined) return undefined;
    return mismatch(checksum, await digestOf(path, checksum.algorithm, options));
  } catch (error) {
    options.signal?.throwIfAborted();
    if (codeOf(error) === 'ENOENT') return 'is missing';
    return `cannot be read (${reasonOf(error)})`;
  }
}
