/** Checksums of Blobs. Browsers hash, on a thread of their own, what is whole in memory; more is hashed here in pieces. */
import { sha256 } from '@noble/hashes/sha2.js';
import { CheckpointError } from '../error.ts';
import { type Algorithm, type Expected, type HashOptions, mismatch } from '../hub/checksum.ts';
import { bytesOfBlob } from '../source.ts';
import { storageError } from './storage-error.ts';

/** Left to the browser. */
const WHOLE_BYTES = 16 * 2 ** 20;
/** Hashed without a pause: a page that does this stays alive. */
const CHUNK_BYTES = 2 ** 19;

export interface BlobHashOptions extends HashOptions {
  readonly algorithm: Algorithm;
  /** Of the Blob, for messages. */
  readonly name: string;
}

/** Hexadecimal. CheckpointError: the Blob cannot be read any more. */
export async function digestOfBlob(
  blob: Blob,
  { algorithm, name, signal, onBytes = () => {} }: BlobHashOptions,
): Promise<string> {
  const isGit = algorithm === 'git-sha1';
  // Those of git are small.
  if (isGit || blob.size <= WHOLE_BYTES) {
    signal?.throwIfAborted();
    const whole = isGit ? new Blob([`blob ${blob.size}\0`, blob]) : blob;
    const kind = isGit ? 'SHA-1' : 'SHA-256';
    const digest = await crypto.subtle.digest(kind, await bytesOfBlob(whole, name));
    onBytes(blob.size);
    return hexOf(new Uint8Array(digest));
  }
  const hash = sha256.create();
  for (let at = 0; at < blob.size; at += CHUNK_BYTES) {
    signal?.throwIfAborted();
    const bytes = await bytesOfBlob(blob.slice(at, at + CHUNK_BYTES), name);
    hash.update(bytes);
    onBytes(bytes.length);
  }
  return hexOf(hash.digest());
}

export interface FaultOptions extends HashOptions {
  readonly name: string;
}

/**
 * Of a Blob that a store holds: what its checksum says is wrong with it, in words; undefined where it is right or has
 * none. StorageError: it cannot be read.
 */
export async function faultOfStored(
  blob: Blob,
  { checksum }: Expected,
  options: FaultOptions,
): Promise<string | undefined> {
  if (!checksum) return undefined;
  const { algorithm } = checksum;
  try {
    return mismatch(checksum, await digestOfBlob(blob, { ...options, algorithm }));
  } catch (error) {
    // Its words are for files of the person's own.
    if (!(error instanceof CheckpointError)) throw error;
    throw storageError(`read ${options.name}`, error.cause);
  }
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
