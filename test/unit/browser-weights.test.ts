/** Weights in browsers, as far as they need none: hashes, manifests, models by address, dropped files. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openModel } from '../../src/invsr/model.ts';
import { digestOfBlob } from '../../src/weights/browser/blob-digest.ts';
import { droppedFolder } from '../../src/weights/browser/dropped-folder.ts';
import { fetchFolder } from '../../src/weights/browser/fetched-folder.ts';
import { openWriter } from '../../src/weights/browser/file-writer.ts';
import { opfsStore } from '../../src/weights/browser/opfs-store.ts';
import { hubModel, servedModel } from '../../src/weights/browser/remote-model.ts';
import { CheckpointError } from '../../src/weights/error.ts';
import { HubError } from '../../src/weights/hub/error.ts';
import { HUB_MODELS } from '../../src/weights/hub/models.ts';
import { MANIFEST, parseManifest } from '../../src/weights/hub/manifest.ts';
import { missing } from '../../src/weights/hub/ranges.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { safetensorsParts } from '../../src/weights/safetensors-write.ts';
import { NP, SD, startHub } from '../harness/hub-models.ts';
import type { HubServer } from '../harness/hub-server.ts';

const NANO = 'weights/invsr-nano';
/** A checkpoint of one tensor, as of a whole model in one file. */
const SMALLEST = Buffer.concat(
  safetensorsParts(
    new Map([['model.diffusion_model.x', { dtype: 'U8', shape: [1], bytes: new Uint8Array(1) }]]),
  ),
);

// The second one is larger than what browsers are given whole, and than the pieces otherwise.
test.each([
  ['sha256', 1000],
  ['sha256', 16 * 2 ** 20 + 3],
  ['git-sha1', 1000],
] as const)('%s of a Blob of %i bytes', async (algorithm, size) => {
  const bytes = new Uint8Array(size).map((_, i) => (i * 31 + (i >> 8)) & 255);
  const expected = createHash(algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (algorithm === 'git-sha1') expected.update(`blob ${bytes.length}\0`);
  let told = 0;
  const onBytes = (count: number): void => void (told += count);
  const digest = await digestOfBlob(new Blob([bytes]), { algorithm, name: 'x', onBytes });
  expect(digest).toBe(expected.update(bytes).digest('hex'));
  expect(told).toBe(bytes.length);
});

test('what is missing is cut where parts end', () => {
  expect(missing([[0, 3]], 20, 8)).toEqual([
    [3, 8],
    [8, 16],
    [16, 20],
  ]);
});

test.each([
  ['<html>', /no JSON/],
  ['null', /"model"/],
  ['{"model":"../x","files":{}}', /"model"/],
  ['{"model":"x"}', /"files"/],
  [`{"model":"x","files":{"../../a":{"size":1,"id":"${'0'.repeat(64)}"}}}`, /"\.\.\/\.\.\/a"/],
  ['{"model":"x","files":{"a":{"size":1,"id":"v1"}}}', /"a"/],
  ['{"model":"x","files":{"a":null}}', /"a"/],
])('%s is no manifest', (text, why) => {
  expect(() => parseManifest(text, 'http://x')).toThrow(CheckpointError);
  expect(() => parseManifest(text, 'http://x')).toThrow(why);
});

// `node scripts/manifest.mjs weights/invsr-nano` writes it.
test('the manifest of invsr-nano is of its files', () => {
  const { model, files } = parseManifest(readFileSync(join(NANO, MANIFEST), 'utf8'), NANO);
  expect(model).toBe('invsr-nano');
  const there = readdirSync(NANO, { recursive: true, encoding: 'utf8' }).filter(
    (name) => statSync(join(NANO, name)).isFile() && !/README\.md$|manifest\.json$/.test(name),
  );
  expect(Object.keys(files).toSorted()).toEqual(there.toSorted());
  for (const [path, { size, id }] of Object.entries(files)) {
    const bytes = readFileSync(join(NANO, path));
    const digest = createHash('sha256').update(bytes).digest('hex');
    expect({ path, size, id }).toEqual({ path, size: bytes.length, id: digest });
  }
});

describe('a browser that cannot', () => {
  test('keep files', async () => {
    const listing = opfsStore({ storage: undefined as unknown as StorageManager }).list();
    await expect(listing).rejects.toMatchObject({ name: 'StorageError', problem: 'unsupported' });
    await expect(listing).rejects.toThrow(/^this page cannot keep models: that needs https:/);
  });

  test('give storage to a private window', async () => {
    const getDirectory = () => Promise.reject(new DOMException('not here', 'SecurityError'));
    const storage = { getDirectory, estimate: async () => ({}) };
    vi.stubGlobal('navigator', { locks: {} });
    const listing = opfsStore({ storage }).list();
    await expect(listing).rejects.toThrow(
      /gives the page no storage \(not here\); private windows/,
    );
    vi.unstubAllGlobals();
  });

  test('write in a window', async () => {
    const file = {} as FileSystemFileHandle; // as Safari's before 26
    const opening = openWriter(file, { isKept: true });
    await expect(opening).rejects.toMatchObject({ problem: 'unsupported' });
    await expect(opening).rejects.toThrow(/from a worker only .*: open the store in one$/);
  });
});

describe('a model by its address', () => {
  let server: HubServer;
  beforeAll(async () => (server = await startHub()));
  afterAll(() => server.stop());

  test('of the hub: half precision where there is, sizes, checksums, licences', async () => {
    const model = await hubModel('sd-turbo', { endpoint: server.endpoint });
    const paths = model.files.map(({ path }) => path);
    expect(paths).toContain('unet/diffusion_pytorch_model.fp16.safetensors');
    expect(paths).not.toContain('unet/diffusion_pytorch_model.safetensors');
    expect(paths).toContain('noise_predictor/noise_predictor_sd_turbo_v5.pth');
    expect([...model.own.keys()]).toEqual(['noise_predictor/config.json']);
    expect(model.licences.map(({ repo, name }) => [repo, name])).toEqual([
      [SD, 'Stability AI Community License'],
      [NP, 'NTU S-Lab License 1.0'],
    ]);
    expect(model.files.every(({ remote }) => remote.checksum !== undefined)).toBe(true);
    const smaller = await hubModel('sd-turbo', {
      endpoint: server.endpoint,
      without: ['text_encoder', 'tokenizer'],
    });
    const rest = model.files.filter(({ path }) => !/^(?:text_encoder|tokenizer)\//.test(path));
    expect(smaller.files).toEqual(rest);
    expect(smaller.bytes).toBeLessThan(model.bytes);
  });

  test('of no model', async () => {
    await expect(hubModel('sdxl')).rejects.toThrow(/^sdxl is no model .* expected sd-turbo$/);
  });

  test('of a server that has none', async () => {
    await expect(servedModel(`${server.endpoint}/nothing`)).rejects.toThrow(
      /nothing\/invsr-manifest\.json: HTTP 401 \(RepoNotFound\): access denied; download the files/,
    );
  });
});

describe('fetched whole', () => {
  /** Serves the folder as simple static servers do: without ranges. */
  const bent = new Map<string, (bytes: Buffer) => Buffer>();
  let cuts = 0;
  const server = createServer(({ url = '' }, response) => {
    const bytes = readFileSync(join(NANO, url.slice(1)));
    const body = bent.get(url)?.(bytes) ?? bytes;
    response.writeHead(200, { 'content-length': body.length });
    if (cuts === 0 || !url.includes('unet')) return void response.end(body);
    cuts--;
    response.write(body.subarray(0, 100), () => response.destroy());
  });
  const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('invsr-nano, through a cut', async () => {
    cuts = 1;
    const seen: number[] = [];
    let total = 0;
    const folder = await fetchFolder(address(), {
      onProgress: ({ loadedBytes, totalBytes }) => {
        seen.push(loadedBytes);
        total = totalBytes;
      },
    });
    const [model, onDisk] = [await openModel(folder), await openModel(nodeFolder(NANO))];
    expect(model.configs).toEqual(onDisk.configs);
    await Promise.all([model.close(), onDisk.close()]);
    expect(seen.at(-1)).toBe(total);
  });

  test.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ['another size', (bytes) => bytes.subarray(1), /config\.json: has \d+ bytes, expected \d+/],
    ['other bytes', (bytes) => Buffer.alloc(bytes.length, 32), /config\.json: its SHA-256 is/],
  ])('%s: damaged', async (_, bend, sentence) => {
    bent.set('/vae/config.json', bend);
    const fetching = fetchFolder(address());
    await expect(fetching).rejects.toThrow(HubError);
    await expect(fetching).rejects.toThrow(sentence);
    bent.clear();
  });
});

describe('dropped files', () => {
  const nano = (prefix: string, skip = /README|manifest/): File[] =>
    readdirSync(NANO, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(NANO, name)).isFile() && !skip.test(name))
      .map((name) => fileAt(`${prefix}${name}`, readFileSync(join(NANO, name))));
  const fileAt = (path: string, bytes: Buffer | string | File): File => {
    const file = new File([bytes as BlobPart], path.split('/').at(-1) ?? '', { lastModified: 1 });
    return Object.defineProperty(file, 'webkitRelativePath', { value: path });
  };

  test.each(['', 'models/nano/'])('a model under "%s" opens', async (prefix) => {
    const { folder, needsPrompt } = await droppedFolder(nano(prefix, /README/));
    expect([...folder.files.keys()]).toContain('unet/config.json');
    expect(needsPrompt).toBe(false);
    await (await openModel(folder)).close();
  });

  test('of two precisions one is taken', async () => {
    const stem = 'unet/diffusion_pytorch_model';
    const half = fileAt(
      `${stem}.fp16.safetensors`,
      readFileSync(join(NANO, `${stem}.safetensors`)),
    );
    const { folder } = await droppedFolder([...nano(''), half]);
    const weights = [...folder.files.keys()].filter((path) => path.startsWith(stem));
    expect(weights).toEqual([`${stem}.fp16.safetensors`]);
  });

  test('a noise predictor as it is published gets the config that it comes without', async () => {
    const others = nano('sd/', /README|manifest|noise_predictor/);
    const path = 'noise_predictor/diffusion_pytorch_model.safetensors';
    const weights = fileAt('noise_predictor.fp16.safetensors', readFileSync(join(NANO, path)));
    const { folder } = await droppedFolder([...others, weights]);
    const config = await folder.folder('noise_predictor').readText('config.json');
    expect(config).toBe(HUB_MODELS[0]?.own.get('noise_predictor/config.json'));
    const pth = fileAt('noise_predictor_sd_turbo_v5.pth', 'no zip');
    await expect(droppedFolder([...others, pth])).rejects.toThrow(
      /noise_predictor\/noise_predictor_sd_turbo_v5\.pth: /,
    );
  });

  test('files that a browser saved side by side are known by what is in them', async () => {
    const saved = nano('').map((file, i) => {
      const [, stem, ending] = /^(.*)(\.\w+)$/.exec(file.name) ?? [];
      return fileAt(`${stem} (${i})${ending}`, file);
    });
    const { folder } = await droppedFolder([...saved, fileAt('notes.json', '{]')]);
    expect(folder.files.size).toBe(8);
    await (await openModel(folder)).close();
  });

  test('without prompt states it says that they are needed', async () => {
    const model = nano('', /README|manifest|prompt/);
    expect((await droppedFolder(model)).needsPrompt).toBe(true);
    const encoder = [
      'text_encoder/config.json',
      'text_encoder/model.safetensors',
      'tokenizer/vocab.json',
      'tokenizer/merges.txt',
    ].map((path) => fileAt(path, path.endsWith('.safetensors') ? SMALLEST : ''));
    expect((await droppedFolder([...model, ...encoder])).needsPrompt).toBe(false);
    expect((await droppedFolder([...model, ...encoder.slice(1)])).needsPrompt).toBe(true);
  });

  test.each<[string, () => File[], RegExp]>([
    ['nothing', () => [], /^nothing was dropped/],
    ['a photo', () => [fileAt('me.jpg', 'JFIF')], /^me\.jpg is no model; drop a folder/],
    [
      'photos',
      () => [fileAt('a.jpg', ''), fileAt('b.jpg', ''), fileAt('c.jpg', '')],
      /^a\.jpg and 2 other files are no model/,
    ],
    [
      'a part of a model',
      () => nano('', /README|manifest|vae|scheduler/),
      /not complete; missing: vae\/config\.json, scheduler\/scheduler_config\.json, the weights of vae; drop/,
    ],
    [
      'two models',
      () => [...nano('a/'), ...nano('b/')],
      /^a\/.* and b\/.* are the same part of a model/,
    ],
    [
      'a whole model in one file',
      () => [fileAt('sd_turbo.safetensors', SMALLEST)],
      /^sd_turbo\.safetensors is a whole model in one file/,
    ],
    [
      'what is called weights and is none',
      () => [
        ...nano('', /README|manifest|unet\/.*safetensors/),
        fileAt('unet/diffusion_pytorch_model.safetensors', '<!doctype html><html></html>'),
      ],
      /unet\/diffusion_pytorch_model\.safetensors: /,
    ],
  ])('%s', async (_, files, sentence) => {
    const dropping = droppedFolder(files());
    await expect(dropping).rejects.toThrow(CheckpointError);
    await expect(dropping).rejects.toThrow(sentence);
  });
});
