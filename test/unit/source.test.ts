import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openModel } from '../../src/invsr/model.ts';
import { openCheckpoint } from '../../src/weights/checkpoint.ts';
import { readAll } from '../harness/read-all.ts';
import { urlFolder } from '../../src/weights/folder.ts';
import { fileSource } from '../../src/weights/node-file.ts';
import {
  blobSource,
  type ByteSource,
  bytesSource,
  httpSource,
  readInto,
} from '../../src/weights/source.ts';
import { torchGolden } from '../harness/torch-files.ts';

const content = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);

/** Every source keeps the same promises. */
async function keepsPromises(source: ByteSource): Promise<void> {
  expect(await source.size()).toBe(5000);
  expect(await source.read(0, 8)).toEqual(content.slice(0, 8));
  expect(await source.read(4321, 679)).toEqual(content.slice(4321));
  expect(await source.read(77, 0)).toEqual(new Uint8Array(0));
  await expect(source.read(4999, 2)).rejects.toThrow(
    /: cut short: expected 5,001 bytes, file has 5,000; download it again$/,
  );
  await expect(source.read(0, 8, AbortSignal.abort())).rejects.toMatchObject({
    name: 'AbortError',
  });
  const memory = new Uint8Array(20).fill(255);
  await readInto(source, 4321, memory.subarray(4, 14));
  expect(memory).toEqual(
    Uint8Array.from([
      ...Array(4).fill(255),
      ...content.slice(4321, 4331),
      ...Array(6).fill(255),
    ] as number[]),
  );
  await expect(readInto(source, 4999, memory.subarray(0, 2))).rejects.toThrow('cut short');
  await expect(readInto(source, 0, memory, AbortSignal.abort())).rejects.toMatchObject({
    name: 'AbortError',
  });
  await source.close();
}

test('memory', () => keepsPromises(bytesSource('bytes', content)));
test('memory that is part of a larger buffer', () => {
  const larger = new Uint8Array(6000);
  larger.set(content, 13);
  return keepsPromises(bytesSource('bytes', larger.subarray(13, 5013)));
});
test('Blob and File', async () => {
  await keepsPromises(blobSource(new Blob([content]), 'blob'));
  expect(blobSource(new File([content], 'weights.safetensors')).name).toBe('weights.safetensors');
});

describe('file', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'invsr-source-'));
    await writeFile(join(folder, 'x'), content);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('reads', async () => keepsPromises(await fileSource(join(folder, 'x'))));
  test('that is not there', async () => {
    await expect(fileSource(join(folder, 'y'))).rejects.toThrow(
      /y: cannot be opened \(no such file or folder\)$/,
    );
  });
});

/** A correct server of `file`. */
function ranges(
  request: IncomingMessage,
  response: ServerResponse,
  headers = {},
  file = content,
): void {
  const [, first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
  const body = file.subarray(Number(first), Number(last) + 1);
  const end = Number(first) + body.length - 1;
  const range = `bytes ${body.length > 0 ? `${first}-${end}` : '*'}/${file.length}`;
  response.writeHead(body.length > 0 ? 206 : 416, { 'Content-Range': range, ...headers });
  response.end(body);
}

describe('http', () => {
  let server: Server;
  let url = '';
  /** What the server does; each test sets its own. */
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const requests: (string | undefined)[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests.push(request.headers.range);
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address === 'string' || address === null) throw new Error('no port');
    url = `http://127.0.0.1:${address.port}/model.safetensors`;
  });
  afterEach(() => requests.splice(0));
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test('reads by ranges, exactly what was asked for', async () => {
    answer = (request, response) => ranges(request, response, { ETag: '"1"' });
    await keepsPromises(httpSource(url));
    const first = ['bytes=0-0', 'bytes=0-7', 'bytes=4321-4999', 'bytes=4999-5000'];
    expect(requests).toEqual([...first, 'bytes=4321-4330', 'bytes=4999-5000']);
  });

  test('a range wholly beyond the end (416) is a file cut short', async () => {
    answer = ranges;
    await expect(httpSource(url).read(5000, 10)).rejects.toThrow(
      /model\.safetensors: cut short: expected 5,010 bytes, file has 5,000; download it again$/,
    );
  });

  test('sends the headers it was given', async () => {
    let authorization: string | undefined;
    answer = (request, response) => {
      authorization = request.headers.authorization;
      ranges(request, response);
    };
    await httpSource(url, { headers: { Authorization: 'Bearer x' } }).read(0, 1);
    expect(authorization).toBe('Bearer x');
  });

  test('a server that ignores ranges', async () => {
    answer = (_, response) => response.writeHead(200).end(content);
    await expect(httpSource(url).size()).rejects.toThrow(
      /model\.safetensors: the server ignores byte ranges \(it answered 200 with the whole file\); use one that supports/,
    );
  });

  test('a server that hides Content-Range', async () => {
    answer = (_, response) => response.writeHead(206).end(content.subarray(0, 1));
    await expect(httpSource(url).size()).rejects.toThrow(
      /the answer has no Content-Range, .* Access-Control-Expose-Headers: Content-Range, ETag$/,
    );
  });

  test.each([
    [404, /: not found \(HTTP 404 Not Found\); check the address$/],
    [401, /: access denied \(HTTP 401 Unauthorized\); accept the model's licence or log in/],
    [503, /: HTTP 503 Service Unavailable; try again later$/],
  ])('HTTP %i', async (status, message) => {
    answer = (_, response) => response.writeHead(status).end();
    await expect(httpSource(url).size()).rejects.toThrow(message);
  });

  test.each([
    ['etag', { ETag: '"1"' }, { ETag: '"2"' }, /\(etag was "1", now "2"\)/],
    [
      'date',
      { 'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT' },
      { 'Last-Modified': 'Tue, 02 Jan 2024 00:00:00 GMT' },
      /\(modified was Mon.*, now Tue.*\)/,
    ],
    ['size', {}, { 'Content-Range': 'bytes 0-7/6000' }, /\(size was 5000, now 6000\)/],
  ])('a file that changes while it is read: %s', async (_, before, after, message) => {
    let headers: object = before;
    answer = (request, response) => ranges(request, response, headers);
    const source = httpSource(url);
    await source.read(0, 8);
    await source.read(0, 8);
    headers = after;
    await expect(source.read(0, 8)).rejects.toThrow(/: changed while it was read/);
    await expect(source.read(0, 8)).rejects.toThrow(message);
  });

  test('another range than asked for', async () => {
    answer = (_, response) =>
      response.writeHead(206, { 'Content-Range': 'bytes 8-15/5000' }).end(content.subarray(8, 16));
    await expect(httpSource(url).read(0, 8)).rejects.toThrow(
      /: asked for bytes 0-7, got 8-15; the server does not serve byte ranges correctly$/,
    );
  });

  test('fewer bytes than announced', async () => {
    answer = (_, response) =>
      response.writeHead(206, { 'Content-Range': 'bytes 0-7/5000' }).end(content.subarray(0, 5));
    await expect(httpSource(url).read(0, 8)).rejects.toThrow(
      /: asked for 8 bytes, got 5; the server or a proxy alters the file$/,
    );
  });

  test('a connection that breaks', async () => {
    answer = (_, response) => {
      response.writeHead(206, { 'Content-Range': 'bytes 0-7/5000', 'Content-Length': '8' });
      response.write(content.subarray(0, 5), () => response.destroy());
    };
    await expect(httpSource(url).read(0, 8)).rejects.toThrow(
      /: the connection broke \(.*\); try again$/,
    );
  });

  test('no server', async () => {
    await expect(httpSource('http://127.0.0.1:1/x').size()).rejects.toThrow(
      /^http:\/\/127\.0\.0\.1:1\/x: cannot be fetched \(.+\)$/,
    );
  });

  test('abort during a read', async () => {
    const abort = new AbortController();
    answer = () => abort.abort(); // and never answer
    await expect(httpSource(url).read(0, 8, abort.signal)).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  test('a folder tries the known names and keeps the query', async () => {
    const asked: (string | undefined)[] = [];
    answer = (request, response) => {
      asked.push(request.url);
      const there =
        /^\/m\/vae\/(config\.json|model\.safetensors|model\.safetensors\.index\.json)\?token=1$/;
      response.writeHead(there.test(request.url ?? '') ? 200 : 404).end('{}');
    };
    const folder = urlFolder(new URL('/m?token=1', url)).folder('vae');
    // The index of the same tensors is not asked for.
    expect(await folder.list()).toEqual(['config.json', 'model.safetensors']);
    expect(await folder.readText('config.json')).toBe('{}');
    expect(asked.at(-1)).toBe('/m/vae/config.json?token=1');
    await expect(folder.readText('scheduler.json')).rejects.toThrow(
      /\/m\/vae\/scheduler\.json\?token=1: not found \(HTTP 404 Not Found\); check the address$/,
    );
  });

  test('a folder with the noise predictor under the name InvSR gave it', async () => {
    const file = torchGolden('edge_views.pth');
    answer = (request, response) => {
      if (request.url !== '/np/noise_predictor_sd_turbo_v5.pth') response.writeHead(404).end();
      else if (request.method === 'HEAD') response.writeHead(200).end();
      else ranges(request, response, {}, file);
    };
    await using checkpoint = await openCheckpoint(urlFolder(new URL('/np', url)));
    expect(checkpoint.name).toMatch(/\/np\/noise_predictor_sd_turbo_v5\.pth$/);
    requests.splice(0);
    expect(await readAll(checkpoint.tensors.get('l_uint8')!)).toEqual(new Uint8Array([0, 255]));
    expect(requests).toHaveLength(2); // where it is, and what it is
  });

  test('a model without a manifest: few requests, and fewer that fail', async () => {
    const root = 'weights/invsr-nano';
    const answers: string[] = [];
    answer = (request, response) => {
      const path = decodeURIComponent(request.url ?? '').slice(1);
      const isThere = path !== 'invsr-manifest.json' && existsSync(join(root, path));
      answers.push(`${request.method} ${path} ${isThere ? 'there' : 'failed'}`);
      if (!isThere) response.writeHead(404).end();
      else if (request.headers.range === undefined) response.end(readFileSync(join(root, path)));
      else ranges(request, response, {}, readFileSync(join(root, path)));
    };
    await (await openModel(urlFolder(new URL('/', url)))).close();
    const failed = answers.filter((one) => one.endsWith('failed'));
    expect(failed.toSorted()).toEqual([
      'GET invsr-manifest.json failed',
      ...['noise_predictor', 'unet', 'vae'].map(
        (part) => `HEAD ${part}/diffusion_pytorch_model.fp16.safetensors failed`,
      ),
    ]);
    // Beside those: four configs, three of them and the weights found, two reads of each header.
    expect(answers.length - failed.length).toBe(4 + 6 + 8);
  });

  test('a folder of another layout: what would help is said; one that is not there costs three requests', async () => {
    answer = (request, response) => {
      response.writeHead(request.url?.endsWith('/vae/config.json') ? 200 : 404).end('{}');
    };
    const folder = urlFolder(url);
    await expect(openCheckpoint(folder.folder('vae'))).rejects.toThrow(
      /\/vae\/: no weights; looked for .*, found config\.json; servers do not list .*invsr-manifest\.json/,
    );
    requests.splice(0);
    expect(await folder.folder('text_encoder').list()).toEqual([]);
    expect(requests).toHaveLength(3);
  });

  test('a folder with a manifest is listed by it, asked for once', async () => {
    const asked: (string | undefined)[] = [];
    const file = { size: 2, id: '0'.repeat(64) };
    const files = { 'model_index.json': file, 'vae/config.json': file };
    answer = (request, response) => {
      asked.push(request.url);
      response.end(JSON.stringify({ model: 'm', commits: {}, files }));
    };
    const folder = urlFolder(new URL('/m?token=1', url));
    expect(await folder.folder('vae').list()).toEqual(['config.json']);
    expect(await folder.folder('unet').list()).toEqual([]);
    expect(await folder.list()).toEqual(['model_index.json']);
    expect(asked).toEqual(['/m/invsr-manifest.json?token=1']);
  });

  test('a folder with a list of files asks for nothing', async () => {
    const folder = urlFolder(url, { files: ['model_index.json', 'vae/config.json'] });
    expect(await folder.list()).toEqual(['model_index.json']);
    expect(await folder.folder('vae').list()).toEqual(['config.json']);
    expect(requests).toEqual([]);
  });
});
