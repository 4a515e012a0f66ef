/**
 * A file of a model in memory, under way or whole: parts of equal size, each filled from its beginning and then a
 * Blob, which browsers may put on the disk.
 */
import type { PartialFile } from '../hub/download.ts';
import { add, type Ranges } from '../hub/ranges.ts';
import { faultOfStored } from './blob-digest.ts';
import { StorageError } from './storage-error.ts';

export interface HeldFile extends PartialFile {
  readonly id: string;
  /** All bytes are there, and right. */
  isWhole: boolean;
  blob(): Blob;
}

export interface HeldFileOptions {
  readonly size: number;
  readonly id: string;
  /** No request goes beyond a multiple of it: so each part is filled by one at a time. */
  readonly partBytes: number;
}

/** None of its bytes. Writing: StorageError where there is no memory for them. */
export function heldFile(name: string, { size, id, partBytes }: HeldFileOptions): HeldFile {
  const full: Blob[] = [];
  const filling = new Map<number, Uint8Array<ArrayBuffer>>();
  let done: Ranges = [];
  let version: string | undefined;
  const blob = (): Blob => new Blob(full);
  const put = (bytes: Uint8Array, at: number): void => {
    const part = Math.floor(at / partBytes);
    const begin = part * partBytes;
    const end = Math.min(size, begin + partBytes);
    const memory = filling.get(part) ?? new Uint8Array(end - begin);
    filling.set(part, memory);
    memory.set(bytes, at - begin);
    if (at + bytes.length < end) return;
    full[part] = new Blob([memory]);
    filling.delete(part);
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
        const left = partBytes - ((at + from) % partBytes);
        const piece = bytes.subarray(from, from + left);
        try {
          put(piece, at + from);
        } catch (cause) {
          throw outOfMemory(name, cause);
        }
        done = add(done, [at + from, at + from + piece.length]);
        from += piece.length;
      }
    },
    save: async () => {},
    reset: async () => {
      full.length = 0;
      filling.clear();
      done = [];
      version = undefined;
    },
    faultOf: (expected, options) => faultOfStored(blob(), expected, { ...options, name }),
    close: async () => {},
  };
}

const outOfMemory = (name: string, cause: unknown): StorageError =>
  new StorageError(
    `${name} finds no room in memory: close other tabs and start again, or use a window whose models the browser keeps (no private one)`,
    { problem: 'quota', cause },
  );
