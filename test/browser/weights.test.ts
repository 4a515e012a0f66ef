/**
 * Weights in a real browser: downloads into the Origin Private File System from a server that speaks the
 * hub's protocol, and every way in which they are interrupted; files dropped on a page.
 */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { SD, startHub, noise, sdTurbo } from '../harness/hub-models.ts';
import type { Fault, HubServer, Seen } from '../harness/hub-server.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import { type Site, serveSite } from './site.ts';
import type { Commands, FetchAsk, Fetched } from './weights-page.ts';

const PART = 2 ** 18;
/** Two parts and a little. */
const LARGE = 'unet/diffusion_pytorch_model.fp16.safetensors';
const LARGE_BYTES = 2 * PART + 12_345;
const NANO = resolve('weights/invsr-nano');

let hub: HubServer;
let site: Site;
beforeAll(async () => {
  hub = await startHub();
  site = await serveSite('weights-page.ts');
});
afterAll(async () => {
  await site?.close();
  await hub?.stop();
});

const large = noise(LARGE_BYTES, 3);

const nanoUrl = (): string => site.url + site.nano.path;

/** By path in the model's folder, as the page tells them. */
function expectedFiles(): Record<string, string> {
  const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
  const { files } = hub.repositories.get(SD)!;
  const wanted = [
    'unet/config.json',
    LARGE,
    'vae/config.json',
    'vae/diffusion_pytorch_model.fp16.safetensors',
    'text_encoder/config.json',
    'text_encoder/model.fp16.safetensors',
    'scheduler/scheduler_config.json',
    'tokenizer/vocab.json',
    'tokenizer/merges.txt',
    'tokenizer/tokenizer_config.json',
    'tokenizer/special_tokens_map.json',
  ];
  return Object.fromEntries(wanted.map((path) => [path, sha256(files.get(path)!.bytes)]));
}

const isLarge = ({ at, path }: Seen): boolean =>
  at === 'files' && path.includes(createHash('sha256').update(large).digest('hex'));
const beginOf = ({ headers }: Seen): number =>
  Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? NaN);
const begins = (): number[] => hub.requests.filter(isLarge).map(beginOf);

inBrowsers((browser) => {
  let context: BrowserContext;
  let page: Page;
  const newPage = async (): Promise<Page> => {
    const made = await context.newPage();
    await made.goto(site.url);
    return made;
  };
  beforeEach(async () => {
    hub.reset();
    const repository = sdTurbo();
    repository.files.set(LARGE, { bytes: large, isLarge: true });
    hub.repositories.set(SD, repository);
    context = await browser().newContext(); // with a storage of its own
    page = await newPage();
  });
  afterEach(() => context.close());

  const call = <Name extends keyof Commands>(
    name: Name,
    ...input: Parameters<Commands[Name]>
  ): ReturnType<Commands[Name]> => on(page, name, ...input);
  const on = <Name extends keyof Commands>(
    at: Page,
    name: Name,
    ...input: Parameters<Commands[Name]>
  ): ReturnType<Commands[Name]> =>
    at.evaluate(([asked, given]) => globalThis.call(asked as never, ...(given as never)), [
      name,
      input,
    ] as const) as ReturnType<Commands[Name]>;
  const inWorker = (input: FetchAsk): Promise<Fetched> =>
    page.evaluate((given) => globalThis.callInWorker('fetch', given), input);
  const fetchAll = (more: Partial<FetchAsk> = {}): Promise<Fetched> =>
    call('fetch', { endpoint: hub.endpoint, partBytes: PART, ...more });
  const expectWhole = ({ failure, files }: Fetched): void => {
    expect(failure).toBeUndefined();
    expect(files).toMatchObject(expectedFiles());
    expect(Object.keys(files ?? {})).toHaveLength(13); // and the noise predictor with its config
  };

  test('a model is fetched in parts, checked, and there after a reload', async () => {
    const fetched = await fetchAll();
    expectWhole(fetched);
    expect(begins().toSorted((a, b) => a - b)).toEqual([0, PART, 2 * PART]);
    expect(fetched.loaded[1]).toBe(fetched.checked);
    expect(fetched.hasAsked).toBe(true); // and was refused: that makes no difference
    hub.reset();
    await page.reload();
    expect(await call('stored')).toEqual(fetched.files);
    expect(hub.requests).toEqual([]);
    // Asked for again, only the list is fetched.
    expectWhole(await fetchAll());
    expect(hub.transfers).toEqual([]);
    const [model] = await call('list');
    expect(model).toMatchObject({ name: 'sd-turbo', isComplete: true, storedBytes: model?.bytes });
    expect(model?.licences).toHaveLength(2);
    expect(await call('remove', 'sd-turbo')).toBeUndefined();
    expect(await call('list')).toEqual([]);
    expect(await call('stored')).toBeUndefined();
  });

  test('aborted, the next download goes on with what was there', async () => {
    const aborted = await fetchAll({ abortAt: 400_000 });
    expect(aborted.failure?.name).toBe('AbortError');
    const [model] = await call('list');
    expect(model?.isComplete).toBe(false);
    expect(model?.storedBytes).toBeGreaterThanOrEqual(390_000);
    hub.reset();
    await page.reload();
    expectWhole(await fetchAll());
    const transferred = begins().map(
      (begin) => Math.min(LARGE_BYTES, (Math.floor(begin / PART) + 1) * PART) - begin,
    );
    const sum = transferred.reduce((a, b) => a + b, 0);
    expect(sum).toBeLessThanOrEqual(LARGE_BYTES - 100_000);
  });

  test.each([
    ['reloaded', 'the window'],
    ['closed', 'the window'],
    ['reloaded', 'a worker'],
    ['closed', 'a worker'],
  ])('%s in the middle, %s', async (end, where) => {
    // The second part stops; the first and the third are there.
    hub.fault = (seen) =>
      isLarge(seen) && beginOf(seen) === PART ? { stallAfter: 200_000 } : undefined;
    const input = { endpoint: hub.endpoint, partBytes: PART };
    const going = (where === 'a worker' ? inWorker(input) : fetchAll()).catch(() => undefined);
    await expect
      .poll(async () => (await call('list'))[0]?.storedBytes ?? 0, { timeout: 10_000 })
      .toBeGreaterThan(LARGE_BYTES - PART + (where === 'a worker' ? 100_000 : 0));
    if (end === 'reloaded') await page.reload();
    else {
      await page.close();
      page = await newPage();
    }
    await going;
    hub.reset();
    expectWhole(await fetchAll());
    const [begin = 0, ...others] = begins();
    expect(others).toEqual([]);
    // A worker's bytes are in the file as they come; the window's when a part is whole.
    if (where === 'a worker') expect(begin).toBeGreaterThan(PART);
    else expect(begin).toBe(PART);
  });

  test.each<[string, Fault]>([
    ['another ETag', { etag: '"other"' }],
    ['416', { status: 416 }],
    ['wrong bytes', { hasWrongBytes: true }],
  ])('%s at the last part: the file starts again, once', async (_, fault) => {
    let left = 1;
    hub.fault = (seen) =>
      isLarge(seen) && beginOf(seen) === 2 * PART && left-- > 0 ? fault : undefined;
    expectWhole(await fetchAll());
    expect(begins().filter((begin) => begin === 0)).toHaveLength(2);
  });

  test('cut in the middle, the rest of the part is fetched', async () => {
    let left = 1;
    hub.fault = (seen) =>
      isLarge(seen) && beginOf(seen) === PART && left-- > 0 ? { cutAfter: 100_000 } : undefined;
    expectWhole(await fetchAll());
    const [again] = begins().filter((begin) => begin % PART !== 0);
    expect(again).toBeGreaterThan(PART);
    // A preflight would be needed for it, which the hub may refuse; the ETag says the same.
    expect(hub.requests.every(({ headers }) => headers['if-range'] === undefined)).toBe(true);
  });

  test('a server without ranges: in one go', async () => {
    hub.fault = (seen) => (isLarge(seen) ? { ignoresRange: true } : undefined);
    expectWhole(await fetchAll());
    expect(begins().at(-1)).toBeNaN();
  });

  test('cut every time, it ends with a sentence and keeps what came', async () => {
    hub.fault = (seen) => (isLarge(seen) ? { cutAfter: 0 } : undefined);
    const { failure } = await fetchAll();
    expect(failure?.name).toBe('HubError');
    expect(failure?.message).toMatch(
      /^stabilityai\/sd-turbo\/unet\/.*\(2 tries\); start it again: it continues where it stopped$/,
    );
    hub.reset();
    expectWhole(await fetchAll());
  });

  test('the model on the server is another one: what has changed is fetched', async () => {
    expectWhole(await fetchAll());
    hub.reset();
    const { files } = hub.repositories.get(SD)!;
    files.set('vae/config.json', { bytes: Buffer.from('{"changed":true}'), isLarge: false });
    expectWhole(await fetchAll());
    expect(hub.transfers.map(({ path }) => path)).toHaveLength(1);
  });

  /** As a crash in the middle of writing leaves it. */
  const tear = (...path: readonly string[]): Promise<void> =>
    page.evaluate(async (names) => {
      let folder = await navigator.storage.getDirectory();
      for (const name of ['invsr', 'sd-turbo', ...names.slice(0, -1)]) {
        folder = await folder.getDirectoryHandle(name);
      }
      const stream = await (await folder.getFileHandle(names.at(-1) ?? '')).createWritable();
      await stream.write('{"files":');
      await stream.close();
    }, path);

  test('notes torn by a crash: of a file, it is fetched again; of the model, it is listed and nothing is', async () => {
    expectWhole(await fetchAll());
    const [whole] = await call('list');
    hub.reset();
    await tear('files', 'vae', 'config.json', 'note.json');
    expect(await call('stored')).toBeUndefined();
    expectWhole(await fetchAll());
    expect(hub.transfers).toHaveLength(1);
    hub.reset();
    await tear('model.json');
    expect(await call('stored')).toBeUndefined();
    const [torn] = await call('list');
    expect(torn).toMatchObject({
      name: 'sd-turbo',
      isComplete: false,
      problem: expect.stringMatching(/^what it consists of cannot be read/) as string,
    });
    expect(torn?.storedBytes).toBeGreaterThan(LARGE_BYTES);
    expectWhole(await fetchAll());
    expect(hub.transfers).toEqual([]);
    expect(await call('list')).toEqual([whole]);
  });

  test('a Blob is known by what is in it; what the model has no more is removed', async () => {
    expect(await call('keepText', 'a', 'one')).toBe('one');
    expect(await call('keepText', 'a', 'two')).toBe('two');
    expect(await call('keepText', 'folder/b', 'three')).toBe('three');
    const names = await page.evaluate(async () => {
      let folder = await navigator.storage.getDirectory();
      for (const name of ['invsr', 'text', 'files']) folder = await folder.getDirectoryHandle(name);
      const found: string[] = [];
      for await (const name of folder.keys()) found.push(name);
      return found;
    });
    expect(names).toEqual(['folder']);
  });

  test('Blobs are read twice, for their checksums and to be copied, and known when given again', async () => {
    const first = await call('keepBlobs', {});
    const hashed = ['read 1000', 'checked 1000, loaded 0', 'read 1000', 'checked 2000, loaded 0'];
    expect(first.failure).toBeUndefined();
    expect(first.steps.slice(0, 4)).toEqual(hashed);
    expect(first.steps.slice(4).filter((step) => step.startsWith('read'))).toHaveLength(2);
    expect(first.steps.at(-1)).toBe('checked 2000, loaded 2000');
    const again = await call('keepBlobs', { freeBytes: 0 });
    const known = ['checked 2000, loaded 1000', 'checked 2000, loaded 2000'];
    expect(again).toEqual({ failure: undefined, steps: [...hashed, ...known] });
  });

  test('no room for Blobs: told before they are read; Blobs that cannot be read: told by type', async () => {
    expect(await call('keepBlobs', { freeBytes: 1999 })).toEqual({
      failure: expect.objectContaining({
        name: 'StorageError',
        problem: 'quota',
        neededBytes: 2000,
      }),
      steps: [],
    });
    const { failure } = await call('keepBlobs', { isGone: true });
    expect(failure).toMatchObject({
      name: 'CheckpointError',
      message: 'a: cannot be read any more (not as it was); was it changed, moved or deleted?',
    });
  });

  test('too small a quota is told before anything is fetched', async () => {
    await call('keepNano', nanoUrl());
    const { failure } = await fetchAll({ quota: 1e5 });
    expect(failure).toMatchObject({ name: 'StorageError', problem: 'quota', freeBytes: 1e5 });
    expect(failure?.neededBytes).toBeGreaterThan(LARGE_BYTES);
    expect(failure?.message).toMatch(
      /^sd-turbo needs 0\.7 MB more, and this browser has room for 0\.1 MB: free space on the disk, or remove invsr-nano \(3\.3 MB\) here, and start again/,
    );
    expect(hub.transfers).toEqual([]);
  });

  test.each(['the window', 'a worker'])(
    'no room in the middle: told, and kept, %s',
    async (where) => {
      const session = await context.newCDPSession(page);
      const { origin } = new URL(site.url);
      const limit = (quotaSize?: number) =>
        session.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize && { quotaSize }) });
      await limit(400_000);
      const ask = { endpoint: hub.endpoint, partBytes: PART, quota: null };
      const { failure } = await (where === 'a worker' ? inWorker(ask) : call('fetch', ask));
      expect(failure).toMatchObject({ name: 'StorageError', problem: 'quota' });
      expect(failure?.message).toMatch(
        /^sd-turbo needs 0\.\d MB more, and this browser gets no room for that/,
      );
      const [model] = await call('list');
      expect(model?.storedBytes).toBeGreaterThan(0);
      await limit();
      expectWhole(await fetchAll());
    },
  );

  test('two pages at once: one fetches, the other waits and reads', async () => {
    const other = await newPage();
    // The last part stops, and comes when it is asked for again after three seconds of silence.
    let stalls = 1;
    hub.fault = (seen) =>
      isLarge(seen) && beginOf(seen) === 2 * PART && stalls-- > 0 ? { stallAfter: 100 } : undefined;
    const one = fetchAll({ stallMs: 3000 });
    await expect.poll(() => hub.requests.some(isLarge), { timeout: 10_000 }).toBe(true);
    expect(await on(other, 'remove', 'sd-turbo')).toMatchObject({ problem: 'busy' });
    const two = on(other, 'fetch', { endpoint: hub.endpoint, partBytes: PART });
    const [first, second] = await Promise.all([one, two]);
    expectWhole(first);
    expectWhole(second);
    expect([first.waited, second.waited]).toEqual([false, true]);
    expect(begins()).toHaveLength(4);
  });

  /** As a person does: files and folders of this machine, on the page. */
  async function drop(
    ...paths: readonly string[]
  ): Promise<Awaited<ReturnType<Commands['keepDropped']>>> {
    const kept = call('keepDropped');
    await page.waitForFunction(() => document.title === 'waiting');
    const session = await context.newCDPSession(page);
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await session.send('Input.dispatchDragEvent', {
        type,
        x: 100,
        y: 100,
        data: { items: [], files: [...paths], dragOperationsMask: 1 },
      });
    }
    return kept;
  }

  test('a dropped folder is kept, and opened from there', async () => {
    expect(await drop(NANO)).toContain('unet/diffusion_pytorch_model.safetensors');
    expect(await call('list')).toMatchObject([{ name: 'mine', isComplete: true }]);
    // The folders in it, and a file, serve as well.
    const parts = ['unet', 'vae', 'noise_predictor', 'scheduler', 'prompt_embeds.safetensors'];
    expect(await drop(...parts.map((part) => join(NANO, part)))).toHaveLength(8);
  });

  test('what is dropped and no model is told', async () => {
    expect(await drop(resolve('test/browser/weights.test.ts'))).toMatchObject({
      name: 'CheckpointError',
      message: expect.stringMatching(/^weights\.test\.ts is no model/) as string,
    });
    expect(await drop(join(NANO, 'unet'))).toMatchObject({
      message: expect.stringMatching(
        /not complete; missing: vae\/config\.json, noise_predictor/,
      ) as string,
    });
  });

  test('a model removed while it is read: said', async () => {
    expect(await call('readRemoved', nanoUrl())).toMatchObject({
      name: 'CheckpointError',
      message: expect.stringMatching(
        /^invsr-nano\/unet\/config\.json: cannot be read any more/,
      ) as string,
    });
  });
});
