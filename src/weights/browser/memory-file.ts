/**
 * A file of a model in memory, under way or whole: parts of equal size, each filled from its beginning and then a
 * Blob, which browsers may put on the disk.
 */
import { type Expected, type HashOptions, mismatch } from '../hub/checksum.ts';
import type { PartialFile } from '../hub/download.ts';
import { add, type Ranges } from '../hub/ranges.ts';
import { digestOfBlob } from './blob-digest.ts';

/** What a connection fetches at a time. */
export const PART_BYTES = 16 * 2 ** 20;

export interface HeldFile extends PartialFile {
  readonly id: string;
  /** All bytes are there, and right. */
  isWhole: boolean;
  blob(): Blob;
}

/** None of its bytes. */
export function heldFile(
  name: string,
  { size, id }: { readonly size: number; readonly id: string },
): HeldFile {
  const parts: (Uint8Array<ArrayBuffer> | Blob)[] = [];
  let done: Ranges = [];
  let version: string | undefined;
  const blob = (): Blob => new Blob(parts);
  const put = (bytes: Uint8Array, at: number): void => {
    const part = Math.floor(at / PART_BYTES);
    const begin = part * PART_BYTES;
    const end = Math.min(size, begin + PART_BYTES);
    const memory = (parts[part] ??= new Uint8Array(end - begin));
    if (memory instanceof Blob) throw new Error(`${name}: bytes at ${at} were there already`);
    memory.set(bytes, at - begin);
    if (at + bytes.length === end) parts[part] = new Blob([memory]);
  };
  return {
    size,
    id,
    isWhole: false,
    blob,
    get done() {
      return done;
    },
    get version() {
      return version;
    },
    setVersion: (value) => (version = value),
    write: async (bytes, at) => {
      for (let from = 0; from < bytes.length;) {
        const left = PART_BYTES - ((at + from) % PART_BYTES);
        const piece = bytes.subarray(from, from + left);
        put(piece, at + from);
        done = add(done, [at + from, at + from + piece.length]);
        from += piece.length;
      }
    },
    save: async () => {},
    reset: async () => {
      parts.length = 0;
      done = [];
      version = undefined;
    },
    faultOf: async ({ checksum }: Expected, options: HashOptions = {}) => {
      if (!checksum) return undefined;
      const { algorithm } = checksum;
      return mismatch(checksum, await digestOfBlob(blob(), { ...options, algorithm, name }));
    },
    close: async () => {},
  };
}
