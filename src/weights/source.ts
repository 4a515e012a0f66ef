/**
 * Ranged reads of one file, wherever it is: memory, a Blob (file picker, drag and drop) or a URL.
 * Files on disk are in node-file.ts, so that this module runs in a browser.
 *
 * Nothing is read ahead or kept here: graph/load-weights.ts decides what to read when, and gives the
 * memory to read into.
 */
import { CheckpointError, grouped } from './error.ts';
import { mergeReads } from './merge-reads.ts';

export interface ByteSource {
  /** File name, path or URL, for messages. */
  readonly name: string;
  size(): Promise<number>;
  /** Exactly `length` bytes from `offset`; rejects when the file ends before. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** The same into memory that the caller keeps, where that saves an allocation; see `readInto`. */
  readInto?(offset: number, target: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Fills `target` with the bytes from `offset` on. */
export async function readInto(
  source: ByteSource,
  offset: number,
  target: Uint8Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<void> {
  if (source.readInto) await source.readInto(offset, target, signal);
  else target.set(await source.read(offset, target.length, signal));
}

export const cutShort = (name: string, expected: number, actual: number): CheckpointError =>
  new CheckpointError(
    `${name}: cut short: expected ${grouped(expected)} bytes, file has ${grouped(actual)}; download it again`,
  );

export function bytesSource(name: string, bytes: Uint8Array<ArrayBuffer>): ByteSource {
  return {
    name,
    size: async () => bytes.length,
    read: async (offset, length, signal) => {
      signal?.throwIfAborted();
      if (offset + length > bytes.length) throw cutShort(name, offset + length, bytes.length);
      return bytes.subarray(offset, offset + length);
    },
    close: async () => {},
  };
}

/**
 * A Blob or File; `name` defaults to the File's. Reads that are asked for at the same time are merged as
 * `httpSource` does: each is work of a page's thread.
 */
export function blobSource(
  blob: Blob,
  name = blob instanceof File ? blob.name : 'blob',
): ByteSource {
  const read = mergeReads(async (offset, length, signal) => {
    signal?.throwIfAborted();
    if (offset + length > blob.size) throw cutShort(name, offset + length, blob.size);
    return bytesOfBlob(blob.slice(offset, offset + length), name);
  });
  return { name, size: async () => blob.size, read, close: async () => {} };
}

/** All of a Blob's bytes. CheckpointError, with its `name`: the file behind it is not as it was any more. */
export async function bytesOfBlob(blob: Blob, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await blob.arrayBuffer().catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CheckpointError(
      `${name}: cannot be read any more (${reason}); was it changed, moved or deleted?`,
      { cause },
    );
  });
  return new Uint8Array(bytes);
}

export interface HttpOptions {
  /** Sent with every request, e.g. `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A file behind HTTP(S), read by Range requests: one for reads of neighbours that are asked for at the
 * same time (merge-reads.ts).
 *
 * Every response is checked against the first (ETag, Last-Modified, total size), so that a file
 * replaced in between is an error and not a mix of two models. `If-Range` would say the same but is
 * no CORS-safelisted header: it would cost a preflight per read and fail where that is not allowed.
 */
export function httpSource(url: string | URL, { headers = {} }: HttpOptions = {}): ByteSource {
  const name = String(url);
  let first: Version | undefined;

  const request = async (offset: number, length: number, signal?: AbortSignal) => {
    const last = offset + length - 1;
    const response = await fetch(url, {
      headers: { ...headers, Range: `bytes=${offset}-${last}` },
      ...(signal && { signal }),
    }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw notFetched(name, cause);
    });
    if (response.status !== 206 && response.status !== 416) {
      await response.body?.cancel();
      throw new CheckpointError(`${name}: ${refusal(response)}`);
    }
    const version = versionOf(name, response);
    first ??= version;
    for (const key of ['size', 'etag', 'modified'] as const) {
      if (version[key] !== first[key]) {
        await response.body?.cancel();
        throw new CheckpointError(
          `${name}: changed while it was read (${key} was ${first[key]}, now ${version[key]}); start again`,
        );
      }
    }
    return { response, version };
  };

  const size = async (): Promise<number> => {
    if (!first) {
      const { response, version } = await request(0, 1);
      await response.body?.cancel();
      return version.size;
    }
    return first.size;
  };

  const read = mergeReads(async (offset, length, signal) => {
    const { response, version } = await request(offset, length, signal);
    if (offset + length > version.size) {
      await response.body?.cancel();
      throw cutShort(name, offset + length, version.size);
    }
    if (version.start !== offset || version.end !== offset + length - 1) {
      await response.body?.cancel();
      throw new CheckpointError(
        `${name}: asked for bytes ${offset}-${offset + length - 1}, got ${version.start}-${version.end}; the server does not serve byte ranges correctly`,
      );
    }
    const bytes = new Uint8Array(
      await response.arrayBuffer().catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw new CheckpointError(
          `${name}: the connection broke (${fetchReason(cause)}); try again`,
          {
            cause,
          },
        );
      }),
    );
    if (bytes.length !== length) {
      throw new CheckpointError(
        `${name}: asked for ${grouped(length)} bytes, got ${grouped(bytes.length)}; the server or a proxy alters the file`,
      );
    }
    return bytes;
  });

  return {
    name,
    size,
    read: async (offset, length, signal) =>
      length === 0 ? new Uint8Array(0) : read(offset, length, signal),
    close: async () => {},
  };
}

/** What tells one state of a remote file from another, and the range a response carries. */
interface Version {
  readonly size: number;
  readonly etag: string | null;
  readonly modified: string | null;
  readonly start: number;
  readonly end: number;
}

function versionOf(name: string, response: Response): Version {
  const range = response.headers.get('content-range') ?? '';
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(range);
  if (!match) {
    throw new CheckpointError(
      `${name}: the answer has ${range ? `Content-Range "${range}"` : 'no Content-Range'}, expected "bytes first-last/total"; a server on another origin must send Access-Control-Expose-Headers: Content-Range, ETag`,
    );
  }
  return {
    size: Number(match[3]),
    etag: response.headers.get('etag'),
    modified: response.headers.get('last-modified'),
    start: Number(match[1] ?? 0),
    end: Number(match[2] ?? -1),
  };
}

/** What a server's answer means, with what to do. */
export function refusal({ status, statusText }: Response): string {
  if (status === 200) {
    return 'the server ignores byte ranges (it answered 200 with the whole file); use one that supports Range requests, or download the file and open it from disk';
  }
  const answer = `HTTP ${status}${statusText ? ` ${statusText}` : ''}`;
  if (status === 404) return `not found (${answer}); check the address`;
  if (status === 401 || status === 403) {
    return `access denied (${answer}); accept the model's licence or log in, or download it by hand`;
  }
  return `${answer}; try again later`;
}

/** `fetch` gave no answer. */
export const notFetched = (what: string, cause: unknown): CheckpointError =>
  new CheckpointError(`${what}: cannot be fetched (${fetchReason(cause)})`, { cause });

/**
 * Why `fetch` failed, in words. Browsers tell no more than "Failed to fetch", lest pages learn about the
 * network they are in.
 */
export function fetchReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return error.cause.message; // Node's fetch
  const { navigator } = globalThis as { readonly navigator?: { readonly onLine?: boolean } };
  if (navigator?.onLine === false) return 'this device is offline'; // Node's has no such word
  return error instanceof TypeError
    ? 'no connection, or it was cut, or the server does not allow other origins (CORS)'
    : error.message;
}
