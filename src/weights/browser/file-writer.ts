/**
 * Writing one file of the Origin Private File System, by what the browser has here:
 *
 *   a worker         createSyncAccessHandle    bytes are in the file at once
 *   the main thread  createWritable            bytes are in the file when it is closed, all or none
 */
import { StorageError } from './storage-error.ts';

export interface FileWriter {
  write(bytes: Uint8Array<ArrayBuffer>, at: number): Promise<void>;
  /** From then on the bytes are there. */
  close(): Promise<void>;
}

/** Of lib.webworker, which does not go with lib.dom. */
interface SyncAccessHandle {
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}
interface SyncFileHandle {
  createSyncAccessHandle(): Promise<SyncAccessHandle>;
}

const isSync = (file: object): file is SyncFileHandle => 'createSyncAccessHandle' in file;
/** Types say that it always is: Safari has it since 26. */
const isWritable = (file: object): boolean => 'createWritable' in file;

/** `isKept`: what is in the file stays. StorageError where this browser cannot write here. */
export async function openWriter(
  file: FileSystemFileHandle,
  { isKept }: { readonly isKept: boolean },
): Promise<FileWriter> {
  if (isSync(file)) {
    const handle = await file.createSyncAccessHandle();
    if (!isKept) handle.truncate(0);
    return syncWriter(handle);
  }
  if (!isWritable(file)) {
    throw new StorageError(
      'this browser stores files from a worker only (Safari before 26): open the store in one',
      { problem: 'unsupported' },
    );
  }
  return streamWriter(await file.createWritable({ keepExistingData: isKept }));
}

/** Every write is a question to another process: a few large ones instead of many small. */
const WRITE_BYTES = 2 ** 20;

function streamWriter(stream: FileSystemWritableFileStream): FileWriter {
  let position = 0;
  let waiting: Uint8Array<ArrayBuffer>[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    const data = new Blob(waiting);
    waiting = [];
    waitingBytes = 0;
    if (data.size > 0) await stream.write({ type: 'write', position, data });
  };
  return {
    write: async (bytes, at) => {
      if (at !== position + waitingBytes) await flush();
      if (waitingBytes === 0) position = at;
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (waitingBytes >= WRITE_BYTES) await flush();
    },
    close: async () => {
      await flush();
      await stream.close();
    },
  };
}

function syncWriter(handle: SyncAccessHandle): FileWriter {
  return {
    write: async (bytes, at) => {
      for (let done = 0; done < bytes.length;) {
        const count = handle.write(bytes.subarray(done), { at: at + done });
        if (count === 0) throw new DOMException('no byte was written', 'QuotaExceededError');
        done += count;
      }
    },
    close: async () => {
      try {
        handle.flush();
      } finally {
        handle.close(); // else the file stays locked until the worker ends
      }
    },
  };
}

/** The whole of a small file: the old text, the new one or, after a crash of a worker, a part of it. */
export async function writeText(
  folder: FileSystemDirectoryHandle,
  name: string,
  text: string,
): Promise<void> {
  const file = await folder.getFileHandle(name, { create: true });
  const writer = await openWriter(file, { isKept: false });
  try {
    await writer.write(new TextEncoder().encode(text), 0);
  } finally {
    await writer.close();
  }
}

/** Undefined where there is none. */
export const readText = (
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<string | undefined> =>
  folder.getFileHandle(name).then(
    async (handle) => (await handle.getFile()).text(),
    () => undefined,
  );
