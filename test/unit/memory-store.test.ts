/** Models in memory, where a browser keeps none for the page; and what stores are told by a hub that gives nothing. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
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
afterEach(() => server.reset());

describe('where the browser keeps nothing', () => {
  beforeAll(() => {
    const getDirectory = () => Promise.reject(new DOMException('not here', 'SecurityError'));
    vi.stubGlobal('navigator', { locks: {}, storage: { getDirectory } });
  });
  afterAll(() => vi.unstubAllGlobals());
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

  test('memory does, with a word about it, and goes on where it was aborted', async () => {
    const store = await modelStore();
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
    const folder = await store.open('sd-turbo');
    for (const { path, remote } of model.files) {
      const blob = folder?.files.get(path) ?? new Blob();
      const { algorithm = 'sha256', digest } = remote.checksum ?? {};
      expect(await digestOfBlob(blob, { algorithm, name: path }), path).toBe(digest);
    }
    expect(folder?.files.has('noise_predictor/config.json')).toBe(true);
    const transferred = server.requests.filter(isWeights).length;
    await download(store);
    expect(server.requests.filter(isWeights)).toHaveLength(transferred);
    await store.remove('sd-turbo');
    expect(await store.list()).toEqual([]);
  });

  test('damaged on its way: fetched again, then told', async () => {
    const store = await modelStore();
    let left = 1;
    server.fault = (seen) => (isWeights(seen) && left-- > 0 ? { hasWrongBytes: true } : undefined);
    await download(store);
    expect((await store.list())[0]?.isComplete).toBe(true);
    server.fault = (seen) => (isWeights(seen) ? { hasWrongBytes: true } : undefined);
    const failed = download(await modelStore());
    await expect(failed).rejects.toMatchObject({ name: 'HubError', problem: 'damaged' });
  });

  test('two downloads of a model at once: one after the other; kept files are there too', async () => {
    const store = await modelStore();
    await Promise.all([download(store), download(store)]);
    const weights = server.requests.filter(isWeights).map(({ path }) => path);
    expect(new Set(weights).size).toBe(weights.length);
    const files = new Map([['unet/config.json', new Blob(['{}'])]]);
    const kept = await store.keep('mine', blobFolder('dropped', files));
    expect(await kept.folder('unet').readText('config.json')).toBe('{}');
    expect((await store.list()).map(({ name }) => name)).toEqual(['sd-turbo', 'mine']);
  });
});

describe('what a page is told of the hub', () => {
  test.each<[string, Fault, TransferProblem, RegExp]>([
    ['gated', { status: 403 }, 'denied', /access denied; download the files by hand/],
    ['gone', { status: 404 }, 'missing', /not found; check the address$/],
    ['a server that fails', { status: 503 }, 'refused', /HTTP 503 \(2 tries\); start it again/],
    ['an answer of its own', { status: 418 }, 'refused', /an answer that was not expected/],
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
