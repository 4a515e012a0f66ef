/**
 * Checksums under which the hub knows files: SHA-256 of those in large file storage, and
 * sha1("blob <size>\0" + bytes), git's own, of the others.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { grouped } from '../error.ts';
import { codeOf, reasonOf } from '../reason.ts';

export type Algorithm = 'sha256' | 'git-sha1';

export interface Checksum {
  readonly algorithm: Algorithm;
  /** Hexadecimal, lower case. */
  readonly digest: string;
}

/** From an ETag or object id: its length says which it is. */
export function checksumOf(id: string): Checksum | undefined {
  if (/^[0-9a-f]{64}$/.test(id)) return { algorithm: 'sha256', digest: id };
  if (/^[0-9a-f]{40}$/.test(id)) return { algorithm: 'git-sha1', digest: id };
  return undefined;
}

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: (count: number) => void;
}

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

export interface Expected {
  readonly size?: number | undefined;
  readonly checksum?: Checksum | undefined;
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
    const digest = await digestOf(path, checksum.algorithm, options);
    if (digest === checksum.digest) return undefined;
    const name = checksum.algorithm === 'sha256' ? 'SHA-256' : 'git checksum';
    return `its ${name} is ${digest}, expected ${checksum.digest}`;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (codeOf(error) === 'ENOENT') return 'is missing';
    return `cannot be read (${reasonOf(error)})`;
  }
}
