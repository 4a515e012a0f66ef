/** One file from a server on this machine, and every way in which that goes wrong. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createClient, type HubClient } from '../../src/weights/hub/client.ts';
import { download, type DownloadOptions } from '../../src/weights/hub/download.ts';
import { createLimit } from '../../src/weights/hub/limit.ts';
import { openPartial, type WriteAt } from '../../src/weights/hub/partial-file.ts';
import { readRepository, type RemoteFile } from '../../src/weights/hub/repository.ts';
import { retryAfterOf, type RetryPolicy } from '../../src/weights/hub/retry.ts';
import { NP, SD, startHub } from '../harness/hub-models.ts';
import type { Fault, HubServer, Seen } from '../harness/hub-server.ts';

const QUICK: RetryPolicy = { attempts: 3, baseMs: 1, maxMs: 4, maxRetryAfterMs: 5000 };
const SEGMENT = 64 * 1024;
const LARGE = 'unet/diffusion_pytorch_model.fp16.safetensors'; // 300,000 bytes: five segments

let server: HubServer;
let client: HubClient;
let folder = '';
beforeAll(async () => {
  server = await startHub();
});
afterAll(() => server.stop());
beforeEach(() => {
  server.reset();
  // Whatever proxy this machine has, it does not lead to itself.
  process.env['NO_PROXY'] = '127.0.0.1,localhost';
  client = createClient({ endpoint: server.endpoint, token: 'hf_secret' });
  folder = mkdtempSync(join(tmpdir(), 'invsr-hub-'));
});
afterEach(async () => {
  await client.close();
  rmSync(folder, { recursive: true, force: true });
});

const remoteOf = async (path = LARGE, repo = SD): Promise<RemoteFile> => {
  const options = { policy: QUICK };
  const repository = await readRepository(client, { repo, revision: 'main' }, options);
  return repository.file(path);
};
const bytesOf = (path = LARGE): Buffer => server.repositories.get(SD)!.files.get(path)!.bytes;
const target = (): string => join(folder, 'file.part');

interface FetchOptions extends Partial<DownloadOptions> {
  readonly writeAt?: WriteAt;
}

async function fetchOne(options: FetchOptions = {}, path = LARGE): Promise<void> {
  const remote = await remoteOf(path);
  const limit = createLimit(3);
  const common = { client, limit, policy: QUICK, segmentBytes: SEGMENT };
  const partial = await openPartial(target(), remote.size, options.writeAt);
  await download(remote, partial, { ...common, ...options });
}
const expectWhole = (path = LARGE): void =>
  expect(readFileSync(target()).equals(bytesOf(path))).toBe(true);

/** Silence is a failure after a moment; elsewhere a busy machine may take its time. */
async function useImpatientClient(): Promise<void> {
  await client.close();
  client = createClient({ endpoint: server.endpoint, token: 'hf_secret', stallMs: 500 });
}

const beginOf = ({ headers }: Seen): number =>
  Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? NaN);

/** The fault for the first `count` requests that `match`. */
function first(count: number, fault: Fault, match: (seen: Seen) => boolean = isFile): void {
  let left = count;
  server.fault = (seen) => (match(seen) && left-- > 0 ? fault : undefined);
}
const isFile = ({ at }: Seen): boolean => at === 'files';

describe('as it should be', () => {
  test('in ranges, some at a time; the token stays with the hub', async () => {
    let bytes = 0;
    await fetchOne({ onBytes: (count) => (bytes += count) });
    expectWhole();
    expect(bytes).toBe(300_000);
    const files = server.requests.filter(isFile);
    expect(files.map(beginOf).toSorted((a, b) => a - b)).toEqual(
      [0, 1, 2, 3, 4].map((i) => i * SEGMENT),
    );
    expect(files.every((r) => r.headers.authorization === undefined)).toBe(true);
    const hub = server.requests.filter((r) => r.at === 'hub');
    expect(hub.every((r) => r.headers.authorization === 'Bearer hf_secret')).toBe(true);
  });

  test('a small file comes from the hub itself and is checked as git does', async () => {
    await fetchOne({}, 'tokenizer/vocab.json');
    expectWhole('tokenizer/vocab.json');
    const { checksum } = await remoteOf('tokenizer/vocab.json');
    expect(checksum?.algorithm).toBe('git-sha1');
  });

  test('a mirror whose list has names only is asked for each file', async () => {
    server.isPlainMirror = true;
    await fetchOne();
    expectWhole();
    // HEAD stops at the redirect.
    expect(server.requests.filter((r) => r.method === 'HEAD').map((r) => r.at)).toEqual(['hub']);
  });

  test('what is there is not asked for again', async () => {
    await fetchOne();
    server.reset();
    await fetchOne();
    expect(server.transfers).toEqual([]);
  });
});

describe('what passes', () => {
  test.each<[string, Fault]>([
    ['503', { status: 503 }],
    ['429', { status: 429 }],
    ['403 of a file server: the signature expired', { status: 403 }],
    ['a cut connection', { cutAfter: 1000 }],
    ['a cut before the first byte', { cutAfter: 0 }],
    ['silence in the middle', { stallAfter: 1000 }],
    ['a Content-Length above the bytes', { length: 70_000 }],
    ['a Content-Length below the bytes', { length: 1000 }],
  ])('%s, twice', async (_, fault) => {
    if (fault.stallAfter !== undefined) await useImpatientClient();
    first(2, fault);
    let bytes = 0;
    await fetchOne({ onBytes: (count) => (bytes += count), policy: { ...QUICK, attempts: 6 } });
    expectWhole();
    expect(bytes).toBe(300_000);
  });

  test.each<[string, Fault]>([
    ['wrong bytes', { hasWrongBytes: true }],
    ['another ETag', { etag: '"other"' }],
    ['another size', { total: 400_000 }],
    ['416', { status: 416 }],
  ])('%s, once: starts again', async (_, fault) => {
    first(1, fault);
    let bytes = 0;
    await fetchOne({ onBytes: (count) => (bytes += count), limit: createLimit(1) });
    expectWhole();
    expect(bytes).toBe(300_000);
    const begins = server.requests.filter(isFile).map(beginOf);
    expect(begins.filter((begin) => begin === 0)).toHaveLength(2);
  });

  test('after a cut only the rest is asked for, of the same version', async () => {
    first(1, { cutAfter: 1000 });
    await fetchOne({ limit: createLimit(1) });
    const [one, two] = server.requests.filter(isFile);
    expect([one, two].map((r) => r && beginOf(r))).toEqual([0, 1000]);
    expect(two?.headers['if-range']).toMatch(/^"s3-/);
  });

  test('a server that ignores ranges, cut once', async () => {
    let count = 0;
    server.fault = (seen) =>
      isFile(seen) ? { ignoresRange: true, ...(count++ === 4 && { cutAfter: 9000 }) } : undefined;
    await fetchOne({ limit: createLimit(1) });
    expectWhole();
  });

  test('Retry-After is kept to', async () => {
    first(1, { status: 429, headers: { 'retry-after': '1' } });
    const started = performance.now();
    await fetchOne();
    expect(performance.now() - started).toBeGreaterThan(990);
  });

  test('the API after a failure', async () => {
    first(1, { status: 502 }, (seen) => seen.path.startsWith('/api/'));
    await fetchOne();
    expectWhole();
  });
});

describe('what does not pass ends with a sentence', () => {
  test.each<[string, Fault, RegExp]>([
    ['500', { status: 500 }, /: HTTP 500 \(3 tries\); start it again/],
    ['cuts', { cutAfter: 0 }, /sd-turbo\/unet\/.*: the connection was cut \(3 tries\)/],
    ['silence', { stallAfter: 0 }, /: it stopped sending \(3 tries\)/],
    [
      'wrong bytes',
      { hasWrongBytes: true },
      /: its SHA-256 is \w+, expected \w+: damaged on its way, and again/,
    ],
    ['404', { status: 404 }, /: HTTP 404: not found; check HF_ENDPOINT/],
    ['416', { status: 416 }, /: the server says that it ends earlier than announced, and again/],
    [
      'another size',
      { total: 7 },
      /: the server's file has 7 bytes, announced were 300,000, and again/,
    ],
    [
      'other ranges',
      { shift: 8 },
      /: asked for bytes from \d+, the server answers "bytes .*ranges correctly$/,
    ],
    ['418', { status: 418 }, /: HTTP 418; an answer that was not expected/],
    [
      'a wait of an hour',
      { status: 429, headers: { 'retry-after': '3600' } },
      /: HTTP 429; the server asks to wait 60 minutes: try later$/,
    ],
  ])('%s', async (_, fault, sentence) => {
    if (fault.stallAfter !== undefined) await useImpatientClient();
    first(Infinity, fault);
    await expect(fetchOne()).rejects.toThrow(sentence);
  });

  test('a file that changes all the time', async () => {
    let version = 0;
    server.fault = (seen) => (isFile(seen) ? { etag: `"${version++}"` } : undefined);
    await expect(fetchOne()).rejects.toThrow(
      /: it changed on the server while it was fetched, and again when fetched anew; try later/,
    );
  });

  test("the hub's own id changes", async () => {
    const remote = await remoteOf();
    const other = { ...remote, id: 'f'.repeat(64), checksum: { ...remote.checksum!, digest: '0' } };
    await expect(
      download(other, await openPartial(target(), other.size), {
        client,
        limit: createLimit(1),
        policy: QUICK,
      }),
    ).rejects.toThrow(/changed on the server/);
  });

  test('redirects in a circle', async () => {
    first(
      Infinity,
      { status: 302, headers: { location: '/again' } },
      ({ path }) => !path.includes('/api/'),
    );
    await expect(fetchOne()).rejects.toThrow(/redirects more than 5 times; check HF_ENDPOINT$/);
  });

  test('no such repository, revision or file', async () => {
    const ask = (repo: string, revision = 'main') =>
      readRepository(client, { repo, revision }, { policy: QUICK });
    await expect(ask('nobody/nothing')).rejects.toThrow(/^nobody\/nothing at main: HTTP 401/);
    await expect(ask(SD, 'v9')).rejects.toThrow(
      /^stabilityai\/sd-turbo at v9: HTTP 404 \(Rev.*--revision$/,
    );
  });

  test('a gated repository, without a token and with a wrong one', async () => {
    const gated = { ...server.repositories.get(NP)!, token: 'hf_right' };
    server.repositories.set('gated/model', gated);
    const ask = (of: HubClient) =>
      readRepository(of, { repo: 'gated/model', revision: 'main' }, { policy: QUICK });
    const nobody = createClient({ endpoint: server.endpoint, token: undefined });
    await expect(ask(nobody)).rejects.toThrow(
      /^gated\/model at main: HTTP 401 \(Access to model gated\/model is restricted\.\): access denied; accept the licence .* and set HF_TOKEN to/,
    );
    await expect(ask(client)).rejects.toThrow(
      /HTTP 403 .* the token of HF_TOKEN or HF_HOME is not valid/,
    );
    const right = createClient({ endpoint: server.endpoint, token: 'hf_right' });
    expect((await ask(right)).commit).toBe(gated.commit);
    await Promise.all([nobody.close(), right.close()]);
  });

  test('an answer that is not the hub', async () => {
    first(Infinity, { status: 200 }, () => true);
    await expect(remoteOf()).rejects.toThrow(
      /: the answer is not the hub's .*check HF_ENDPOINT and the proxy$/,
    );
  });

  test('no server', async () => {
    const nowhere = createClient({ endpoint: 'http://127.0.0.1:1', token: undefined });
    await expect(
      readRepository(nowhere, { repo: SD, revision: 'main' }, { policy: QUICK }),
    ).rejects.toThrow(/^127\.0\.0\.1:1 cannot be reached: connection refused \(3 tries\)/);
    await nowhere.close();
  });
});

describe('interrupted', () => {
  test('by abort: the rest later', async () => {
    const abort = new AbortController();
    let bytes = 0;
    const fetching = fetchOne({
      signal: abort.signal,
      limit: createLimit(1),
      onBytes: (count) => (bytes += count) > 2 * SEGMENT && abort.abort(),
    });
    await expect(fetching).rejects.toMatchObject({ name: 'AbortError' });
    server.reset();
    let resumed = 0;
    await fetchOne({ onBytes: (count) => (resumed += count) });
    expectWhole();
    expect(resumed).toBe(300_000);
    expect(Math.min(...server.requests.filter(isFile).map(beginOf))).toBe(bytes);
  });

  test.each([
    ['at a file server with another ETag: the id is the same, the rest is enough', LARGE, 100_000],
    ['with another ETag and nothing that says the same: all of it', 'tokenizer/vocab.json', 3],
  ])('%s', async (_, path, cutAfter) => {
    const first = fetchOne(
      {
        limit: createLimit(1),
        policy: { ...QUICK, attempts: 1 },
        segmentBytes: 1e6,
      },
      path,
    );
    server.fault = ({ method, path: at }) =>
      method === 'GET' && !at.includes('/api/') ? { cutAfter } : undefined;
    await expect(first).rejects.toThrow(/cut/);
    server.reset();
    // Answers of the hub itself have no other id than their ETag.
    server.fault = ({ at, path: asked }) =>
      (path === LARGE ? at === 'files' : asked.includes('/resolve/'))
        ? { etag: '"another server"' }
        : undefined;
    await fetchOne({ limit: createLimit(1), segmentBytes: 1e6 }, path);
    expectWhole(path);
    const begin = server.transfers.map(beginOf).at(-1);
    if (path === LARGE) expect(begin).toBeGreaterThan(0);
    else expect(begin).toBe(0);
  });

  test('by a full disk: said in words, and what was written is kept', async () => {
    const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    let written = 0;
    const fetching = fetchOne({
      limit: createLimit(1),
      writeAt: async (file, bytes, at) => {
        if (written + bytes.length > 100_000) throw full;
        await file.write(bytes, 0, bytes.length, at);
        written += bytes.length;
      },
    });
    await expect(fetching).rejects.toThrow(
      /^cannot write .*file\.part: the disk is full; what is there is kept, make room/,
    );
    server.reset();
    await fetchOne();
    expectWhole();
    expect(Math.min(...server.requests.filter(isFile).map(beginOf))).toBe(written);
  });

  test('with a note that does not fit, all is fetched again', async () => {
    const fetching = fetchOne({ policy: { ...QUICK, attempts: 1 }, limit: createLimit(1) });
    first(1, { cutAfter: 1000 }, (seen) => isFile(seen) && beginOf(seen) === SEGMENT);
    await expect(fetching).rejects.toThrow(/cut/);
    const note = `${target()}.json`;
    expect(existsSync(note)).toBe(true);
    rmSync(target()); // the bytes are gone, the note says that they are there
    server.reset();
    await fetchOne();
    expectWhole();
  });
});

test('Retry-After as seconds, as a date, as nonsense', () => {
  const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
  expect(retryAfterOf('120', now)).toBe(120_000);
  expect(retryAfterOf('Wed, 21 Oct 2026 07:28:30 GMT', now)).toBe(30_000);
  expect(retryAfterOf('Wed, 21 Oct 2026 07:00:00 GMT', now)).toBe(0);
  expect(retryAfterOf('soon', now)).toBeUndefined();
  expect(retryAfterOf(undefined, now)).toBeUndefined();
});
