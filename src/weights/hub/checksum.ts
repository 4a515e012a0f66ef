/**
 * Checksums under which the hub knows files: SHA-256 of those in large file storage, and
 * sha1("blob <size>\0" + bytes), git's own, of the others. Files on disk: file-checksum.ts.
 */

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

export interface Expected {
  readonly size?: number | undefined;
  readonly checksum?: Checksum | undefined;
}

/** In words; undefined where the digest is the expected one. */
export function mismatch({ algorithm, digest }: Checksum, actual: string): string | undefined {
  if (actual === digest) return undefined;
  const name = algorithm === 'sha256' ? 'SHA-256' : 'git checksum';
  return `its ${name} is ${actual}, expected ${digest}`;
}
