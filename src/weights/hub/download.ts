/**
 * One file of the hub, fetched into a partial file by several ranges at a time and checked.
 *
 *   ranges missing → GET /resolve/… (Range, If-Range) → redirect → 206 → bytes in place → checksum
 *
 * Anything that says that the file is another one than before (ETag, size, 416, checksum) starts it
 * again once, then ends it with a sentence. A server that ignores Range is read in one go.
 */
import { grouped } from '../error.ts';
import type { Expected, HashOptions } from './checksum.ts';
import { plainEtag } from './etag.ts';
import { ChangedError, HubError, TransientError } from './error.ts';
import { type Answer, bodyOf, type HttpClient, refuse } from './http.ts';
import { type Limit, together } from './limit.ts';
import { lengthOf, missing, type Range, type Ranges } from './ranges.ts';
import type { RemoteFile } from './repository.ts';
import { type RetryPolicy, retrying, TRANSFER } from './retry.ts';

/**
 * Where the bytes go. Killed at any moment, a later run goes on with what is there: bytes lie in their
 * final places before `done` says so. Disk: partial-file.ts; browsers: ../browser/stored-file.ts.
 */
export interface PartialFile {
  readonly size: number;
  /** Bytes that are there. */
  readonly done: Ranges;
  /** The server's ETag for the version that they are of. */
  readonly version: string | undefined;
  setVersion(version: string | undefined): void;
  /** HubError where the disk does not take them. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Makes sure of what was written. */
  save(): Promise<void>;
  /** Forgets all bytes. */
  reset(): Promise<void>;
  /** What is wrong with the file, in words; undefined where all that is known of it holds. */
  faultOf(expected: Expected, options?: HashOptions): Promise<string | undefined>;
  /** Saves and closes. */
  close(): Promise<void>;
}

export interface DownloadOptions {
  readonly client: HttpClient;
  /** Shared by all files: how many requests at a time. */
  readonly limit: Limit;
  readonly signal?: AbortSignal | undefined;
  /** Bytes that came; negative where some are thrown away. Those of an earlier run come first. */
  readonly onBytes?: (count: number) => void;
  readonly policy?: RetryPolicy;
  /** @default 64 MiB */
  readonly segmentBytes?: number;
  /** Bytes of the whole file that were read for its checksum. */
  readonly onCheck?: (count: number) => void;
}

/** Leaves the whole, verified file; any error leaves what can be resumed. Closes `partial`. */
export async function download(
  file: RemoteFile,
  partial: PartialFile,
  options: DownloadOptions,
): Promise<void> {
  const { onBytes = () => {}, onCheck = () => {}, signal } = options;
  onBytes(lengthOf(partial.done));
  const discard = async (): Promise<void> => {
    onBytes(-lengthOf(partial.done));
    await partial.reset();
  };
  const work = new Work(file, partial, { ...options, onBytes }, discard);
  let isClosed = false;
  try {
    for (let isSecond = false; ; isSecond = true) {
      try {
        await work.fetchMissing();
        const fault = await partial.faultOf(file, { signal, onBytes: onCheck });
        if (fault !== undefined) throw new ChangedError(`${fault}: damaged on its way`);
        break;
      } catch (error) {
        if (!(error instanceof ChangedError)) throw error;
        await discard();
        if (!isSecond) continue;
        throw new HubError(
          `${nameOf(file)}: ${error.message}, and again when fetched anew; try later, or from another server or network`,
          { cause: error, problem: 'damaged' },
        );
      }
    }
    await partial.close();
    isClosed = true;
  } finally {
    if (!isClosed) await partial.close().catch(() => {}); // the error under way says more
  }
}

const nameOf = ({ repo, path }: RemoteFile): string => `${repo}/${path}`;

/** The server answers a request for a range with the whole file. */
class RangesIgnored extends Error {}

class Work {
  readonly #file: RemoteFile;
  readonly #partial: PartialFile;
  readonly #options: DownloadOptions & { readonly onBytes: (count: number) => void };
  readonly #discard: () => Promise<void>;
  /** The file server's ETag in this run. */
  #version: string | undefined;

  constructor(
    file: RemoteFile,
    partial: PartialFile,
    options: DownloadOptions & { readonly onBytes: (count: number) => void },
    discard: () => Promise<void>,
  ) {
    this.#file = file;
    this.#partial = partial;
    this.#options = options;
    this.#discard = discard;
  }

  async fetchMissing(): Promise<void> {
    this.#version = undefined;
    const { segmentBytes = 64 * 2 ** 20 } = this.#options;
    const segments = missing(this.#partial.done, this.#file.size, segmentBytes);
    try {
      const { limit, signal } = this.#options;
      await together(
        segments,
        (segment, stop) => limit(() => this.#segment(segment, stop), stop),
        signal,
      );
    } catch (error) {
      if (!(error instanceof RangesIgnored)) throw error;
      await this.#discard();
      await this.#whole();
    }
  }

  async #segment([begin, end]: Range, signal: AbortSignal): Promise<void> {
    let at = begin;
    const attempt = async (): Promise<void> => {
      const version = this.#version;
      const isStrong = version !== undefined && !version.startsWith('W/');
      const answer = await this.#ask(signal, {
        range: `bytes=${at}-${end - 1}`,
        ...(isStrong && { 'if-range': version }),
      });
      if (answer.status === 200 && !(at === 0 && end === this.#file.size)) {
        answer.discard();
        this.#checkVersion(answer);
        throw new RangesIgnored();
      }
      if (answer.status === 206) this.#checkRange(answer, at);
      this.#checkVersion(answer);
      await this.#read(answer, at, end, (next) => (at = next));
    };
    await retrying(attempt, {
      policy: this.#options.policy ?? TRANSFER,
      signal,
      progress: () => at,
    });
    await this.#partial.save();
  }

  /** Without ranges: every try starts at the first byte. */
  async #whole(): Promise<void> {
    const { signal, limit, policy = TRANSFER } = this.#options;
    const attempt = async (): Promise<void> => {
      await this.#discard();
      const answer = await this.#ask(signal, {});
      this.#checkVersion(answer);
      await this.#read(answer, 0, this.#file.size, () => {});
    };
    await limit(() => retrying(attempt, { policy, signal }), signal);
  }

  async #ask(
    signal: AbortSignal | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    const { client } = this.#options;
    const answer = await client.ask(this.#file.url, { headers, signal });
    if (answer.status === 200 || answer.status === 206) return answer;
    if (answer.status === 416) {
      answer.discard();
      throw new ChangedError('the server says that it ends earlier than announced');
    }
    throw refuse(nameOf(this.#file), answer, client);
  }

  #checkRange(answer: Answer, at: number): void {
    const range = answer.header('content-range') ?? '';
    const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range);
    const total = match?.[2];
    if (total !== undefined && total !== '*' && Number(total) !== this.#file.size) {
      answer.discard();
      throw new ChangedError(
        `the server's file has ${grouped(Number(total))} bytes, announced were ${grouped(this.#file.size)}`,
      );
    }
    if (Number(match?.[1] ?? NaN) === at) return;
    answer.discard();
    throw new HubError(
      `${nameOf(this.#file)}: asked for bytes from ${at}, the server answers "${range}"; it or a proxy does not serve byte ranges correctly${range === '' ? ', or does not expose Content-Range to other origins' : ''}`,
      { problem: 'unusable' },
    );
  }

  #checkVersion(answer: Answer): void {
    const { id, checksum } = this.#file;
    const linked = plainEtag(answer.header('x-linked-etag'));
    const isOther = linked !== undefined && checksum !== undefined && linked !== id;
    const version = answer.header('etag');
    // Another day's file server may have another ETag for the same file: the hub's id then counts.
    const before = this.#version ?? (linked === id ? undefined : this.#partial.version);
    if (isOther || (before !== undefined && version !== undefined && version !== before)) {
      answer.discard();
      throw new ChangedError('it changed on the server while it was fetched');
    }
    this.#version = version;
    this.#partial.setVersion(version);
  }

  /** The body's bytes, from `at` to `end`; more is not read, less is a failure for now. What `write` throws passes. */
  async #read(
    answer: Answer,
    at: number,
    end: number,
    advance: (next: number) => void,
  ): Promise<void> {
    const { client, onBytes } = this.#options;
    let next = at;
    // Read to its end, a connection serves again; an answer that announces more than it should may
    // never end.
    const isHonest = Number(answer.header('content-length')) === end - at;
    try {
      for await (const chunk of bodyOf(answer, nameOf(this.#file), client)) {
        const bytes = chunk.subarray(0, end - next);
        await this.#partial.write(bytes, next);
        next += bytes.length;
        onBytes(bytes.length);
        advance(next);
        if (next === end && !isHonest) break;
      }
    } finally {
      answer.discard();
    }
    if (next === end) return;
    throw new TransientError(
      `${nameOf(this.#file)}: the connection ended ${grouped(end - next)} bytes early`,
    );
  }
}
