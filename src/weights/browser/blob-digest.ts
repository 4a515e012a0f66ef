/** Checksums of Blobs, which may be larger than memory: browsers have SHA-256 of a whole only. */
import { sha256 } from '@noble/hashes/sha2.js';
import type { Algorithm, HashOptions } from '../hub/checksum.ts';

/** Hashed without a pause: a page that does this stays alive. */
const CHUNK = 2 * 2 ** 20;

export async function digestOfBlob(
  blob: Blob,
  algorithm: Algorithm,
  { signal, onBytes = () => {} }: HashOptions = {},
): Promise<string> {
  if (algorithm === 'git-sha1') {
    // Those are small.
    const whole = new Blob([`blob ${blob.size}\0`, blob]);
    const digest = await crypto.subtle.digest('SHA-1', await whole.arrayBuffer());
    onBytes(blob.size);
    return hexOf(new Uint8Array(digest));
  }
  const hash = sha256.create();
  for (let at = 0; at < blob.size; at += CHUNK) {
    signal?.throwIfAborted();
    const bytes = new Uint8Array(await blob.slice(at, at + CHUNK).arrayBuffer());
    hash.update(bytes);
    onBytes(bytes.length);
  }
  return hexOf(hash.digest());
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
