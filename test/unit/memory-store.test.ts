/** Models in memory, where a browser keeps none for the page; and what stores are told by a hub that gives nothing. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { digestOfBlob } from '../../src/weights/browser/blob-digest.ts';
import { fetchClient } from '../../src/weights/browser/fetch-client.ts';
import { memoryStore, modelStore } from '../../src/weights/browser/memory-store.ts';
import type { ModelStore } from '../../src/weights/browser/model-store.ts';
import { hubModel, type RemoteModel } from '../../src/weights/browser/remote-model.ts';
import type { StoreProgress } from '../../src/weights/browser/store-model.ts';
import { blobFolder, urlFolder } from '../../src/weights/folder.ts';
import { HubError, type TransferProblem } from '../../src/weights/hub/error.ts';
import { startHub } from '../harness/hub-models.ts';
import type { Fault, HubServer, Seen } from '../harness/hub-server.ts';

let server: HubServer;
beforeAll(async () => (server = await startHub()));
afterAll(() => server.stop());
afterEach(() => {
  server.reset();
  vi.unstubAllGlobals();
});

/** The UNet's 300,000 bytes are four of them and a half; nothing else of a test is as long. */
const PART = 66_600;

describe('where the browser keeps nothing', () => {
  beforeEach(() => {
    const getDirectory = () => Promise.reject(new DOMException('not here', 'SecurityError'));
    vi.stubGlobal('navigator', { locks: {}, storage: { getDirectory } });
  });
  const newStore = (): Promise<ModelStore> => modelStore({ partBytes: PART });
  const isWeights = ({ at }: Seen): boolean => at === 'files';
  const download = async (
    store: ModelStore,
    options: { readonly abortAt?: number } = {},
  ): Promise<{ readonly last: StoreProgress | undefined; readonly model: RemoteModel }> => {
    const model = await hubModel('sd-turbo', { endpoint: server.endpoint });
    const abort = new AbortController();
    let last: StoreProgress | undefined;
    await store.download(model, {
      signal: abort.signal,
      onProgress: (progress) => {
        last = progress;
        if (progress.loadedBytes >= (options.abortAt ?? Infinity)) abort.abort();
      },
    });
    return { last, model };
  };
  const expectRight = async (store: ModelStore, { files }: RemoteModel): Promise<void> => {
    const folder = await store.open('sd-turbo');
    for (const { path, remote } of files) {
      const blob = folder?.files.get(path) ?? new Blob();
      const { algorithm = 'sha256', digest } = remote.checksum ?? {};
      expect(await digestOfBlob(blob, { algorithm, name: path }), path).toBe(digest);
    }
    expect(folder?.files.has('noise_predictor/config.json')).toBe(true);
  };
  const beginOf = ({ headers }: Seen): number =>
    Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? NaN);

  test('memory does, with a word about it, and goes on where it was aborted', async () => {
    const store = await newStore();
    expect(store.isKept).toBe(false);
    await expect(download(store, { abortAt: 350_000 })).rejects.toThrow(/abort/);
    const [begun] = await store.list();
    expect(begun).toMatchObject({ name: 'sd-turbo', isComplete: false });
    expect(begun?.storedBytes).toBeGreaterThanOrEqual(350_000);
    expect(await store.open('sd-turbo')).toBeUndefined();

    const { model, last } = await download(store);
    const { bytes: totalBytes } = model;
    expect(last).toEqual({ loadedBytes: totalBytes, checkedBytes: totalBytes, totalBytes });
    expect(await store.plan(model)).toMatchObject({ bytes: totalBytes, missingBytes: 0 });
    await expectRight(store, model);
    const transferred = server.requests.filter(isWeights).length;
    await download(store);
    expect(server.requests.filter(isWeights)).toHaveLength(transferred);
    await store.remove('sd-turbo');
    expect(await store.list()).toEqual([]);
  });

  test('damaged on its way: fetched again, then told', async () => {
    const store = await newStore();
    let left = 1;
    server.fault = (seen) => (isWeights(seen) && left-- > 0 ? { hasWrongBytes: true } : undefined);
    await download(store);
    expect((await store.list())[0]?.isComplete).toBe(true);
    server.fault = (seen) => (isWeights(seen) ? { hasWrongBytes: true } : undefined);
    const failed = download(await newStore());
    await expect(failed).rejects.toMatchObject({ name: 'HubError', problem: 'damaged' });
  });

  test('parts at a time: cut in the middle of one, the rest of it is fetched', async () => {
    let left = 1;
    const isSecond = (seen: Seen): boolean => isWeights(seen) && beginOf(seen) === PART;
    server.fault = (seen) => (isSecond(seen) && left-- > 0 ? { cutAfter: 30_000 } : undefined);
    const store = await newStore();
    const { model } = await download(store);
    await expectRight(store, model);
    const begins = server.requests.filter(isWeights).map(beginOf);
    expect(begins).toContain(4 * PART);
    const [again, ...others] = begins.filter((begin) => begin % PART !== 0);
    expect(others).toEqual([]);
    expect(again).toBeGreaterThan(PART);
    expect(again).toBeLessThan(2 * PART);
  });

  test('a server without ranges: pieces lie across the borders of parts', async () => {
    server.fault = (seen) => (isWeights(seen) ? { ignoresRange: true } : undefined);
    const store = await newStore();
    await expectRight(store, (await download(store)).model);
  });

  test('memory runs out: told as that, at once; the next download goes on', async () => {
    let left = 1;
    const short = new Proxy(Uint8Array, {
      construct: (target, [first, ...rest]: unknown[]) => {
        if (first === PART && left-- > 0) throw new RangeError('Array buffer allocation failed');
        return Reflect.construct(target, [first, ...rest]) as object;
      },
    });
    const store = await newStore();
    vi.stubGlobal('Uint8Array', short);
    const error: unknown = await download(store).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'StorageError', problem: 'quota' });
    expect(error).toMatchObject({
      message: expect.stringMatching(/finds no room in memory: close/),
    });
    await expectRight(store, (await download(store)).model);
  });

  test('what is stored cannot be read for its checksum: told by type', async () => {
    const gone = new DOMException('gone', 'NotReadableError');
    const spy = vi.spyOn(Blob.prototype, 'arrayBuffer').mockRejectedValue(gone);
    const failed = download(await newStore());
    await expect(failed).rejects.toMatchObject({ name: 'StorageError', problem: 'failed' });
    await expect(failed).rejects.toThrow(/^cannot read .* in this browser's storage \(gone\)/);
    spy.mockRestore();
  });

  test('two downloads of a model at once: one after the other', async () => {
    const store = await newStore();
    await Promise.all([download(store), download(store)]);
    const ranges = server.requests
      .filter(isWeights)
      .map((seen) => [seen.path, beginOf(seen)].join());
    expect(new Set(ranges).size).toBe(ranges.length);
  });

  test('an abort ends what waits for another download, which goes on', async () => {
    const store = await newStore();
    server.fault = (seen) => (isWeights(seen) ? { stallAfter: 0 } : undefined);
    const model = await hubModel('sd-turbo', { endpoint: server.endpoint });
    const [first, second] = [new AbortController(), new AbortController()];
    const going = store.download(model, { signal: first.signal });
    let waits = 0;
    const waiting = store.download(model, { signal: second.signal, onWait: () => waits++ });
    second.abort();
    await expect(waiting).rejects.toThrow(/abort/);
    expect(waits).toBe(1);
    await expect(store.remove('sd-turbo')).rejects.toMatchObject({ problem: 'busy' });
    first.abort();
    await expect(going).rejects.toThrow(/abort/);
    await store.remove('sd-turbo');
  });

  test('a name has one model, the latest: fetched or given', async () => {
    const store = await newStore();
    const files = new Map([['unet/config.json', new Blob(['{}'])]]);
    const model = await hubModel('sd-turbo', { endpoint: server.endpoint });
    const going = store.download(model);
    let waits = 0;
    const kept = await store.keep('sd-turbo', blobFolder('dropped', files), {
      onWait: () => waits++,
    });
    expect(waits).toBe(1);
    await going;
    expect(await kept.folder('unet').readText('config.json')).toBe('{}');
    expect(await store.list()).toMatchObject([{ name: 'sd-turbo', bytes: 2, isComplete: true }]);
    expect([...((await store.open('sd-turbo'))?.files.keys() ?? [])]).toEqual(['unet/config.json']);
    expect(await store.plan(model)).toMatchObject({ missingBytes: model.bytes });
    await download(store);
    await expectRight(store, model);
    expect(await store.list()).toHaveLength(1);
  });
});

test.each([
  ['UnknownError', 'memory'], // private windows of Safari
  ['InvalidStateError', 'failed'],
  ['QuotaExceededError', 'quota'],
])('a storage that says %s: %s', async (name, what) => {
  const getDirectory = () => Promise.reject(new DOMException('not now', name));
  vi.stubGlobal('navigator', { locks: {}, storage: { getDirectory } });
  const opening = modelStore();
  if (what === 'memory') expect((await opening).isKept).toBe(false);
  else await expect(opening).rejects.toMatchObject({ name: 'StorageError', problem: what });
});

describe('what a page is told of the hub', () => {
  test.each<[string, Fault, TransferProblem, RegExp]>([
    ['gated', { status: 403 }, 'denied', /access denied; download the files by hand/],
    ['gone', { status: 404 }, 'missing', /not found; check the address$/],
    ['a server that fails', { status: 503 }, 'refused', /HTTP 503 \(2 tries\); start it again/],
    ['an answer of its own', { status: 418 }, 'unusable', /an answer that was not expected/],
    ['no ranges', { shift: 1 }, 'unusable', /does not serve byte ranges correctly/],
    ['cut', { cutAfter: 0 }, 'unreachable', /\(2 tries\); start it again: it continues/],
  ])('of the hub, %s: told by its type, in a sentence', async (_, fault, problem, sentence) => {
    const model = await hubModel('sd-turbo', { endpoint: server.endpoint });
    server.fault = () => fault;
    const policy = { attempts: 2, baseMs: 1, maxMs: 2, maxRetryAfterMs: 10 };
    const error: unknown = await memoryStore()
      .download(model, { policy })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(HubError);
    expect(error).toMatchObject({ problem, message: expect.stringMatching(sentence) });
  });

  test('of a server without https, for a page that has it', async () => {
    vi.stubGlobal('location', { protocol: 'https:' });
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    const ask = fetchClient({}).ask('http://example.org/unet/config.json');
    await expect(ask).rejects.toMatchObject({ name: 'HubError', problem: 'unusable' });
    await expect(ask).rejects.toThrow(/serve the model by https too$/);
  });

  test('of a hub that is not there, on a device without a connection', async () => {
    vi.stubGlobal('navigator', { onLine: false });
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    try {
      const reason = 'this device is offline';
      const read = urlFolder('https://example.org/').readText('unet/config.json');
      await expect(read).rejects.toThrow(`unet/config.json: cannot be fetched (${reason})`);
      const ask = fetchClient({}).ask('https://huggingface.co/api/models/x');
      await expect(ask).rejects.toThrow(`huggingface.co cannot be reached: ${reason}`);
      await expect(ask).rejects.toMatchObject({ problem: 'unreachable' });
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
