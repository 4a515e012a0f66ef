/** The parts that transfers stand on: the environment, proxies, sets of ranges, the lock. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../src/weights/hub/client.ts';
import { withLock } from '../../src/weights/hub/lock.ts';
import { add, isRanges, missing, type Ranges } from '../../src/weights/hub/ranges.ts';
import { readRepository } from '../../src/weights/hub/repository.ts';
import { type HubSettings, readSettings } from '../../src/weights/hub/settings.ts';
import { COMMIT, SD, startHub } from '../harness/hub-models.ts';
import { uniform } from '../harness/random.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'invsr-hf-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('the environment', () => {
  test('nothing set', async () => {
    const none = await readSettings({ HF_HOME: home });
    expect(none).toEqual({
      endpoint: 'https://huggingface.co',
      token: undefined,
      home,
      cache: join(home, 'hub'),
      isOffline: false,
    });
    const { cache } = await readSettings({ HF_TOKEN: 'x' });
    expect(cache).toBe(join(homedir(), '.cache/huggingface/hub'));
  });

  test.each<[string, Record<string, string>, Partial<HubSettings>]>([
    ['HF_HUB_CACHE', { HF_HUB_CACHE: '/data/hub' }, { cache: '/data/hub' }],
    [
      'XDG_CACHE_HOME',
      { XDG_CACHE_HOME: '/x' },
      { home: '/x/huggingface', cache: '/x/huggingface/hub' },
    ],
    ['~ and variables', { HF_HOME: '~/$SUB', SUB: 'hf' }, { home: join(homedir(), 'hf') }],
    [
      'a slash at the end',
      { HF_ENDPOINT: 'https://mirror.example/' },
      { endpoint: 'https://mirror.example' },
    ],
    ['HF_HUB_OFFLINE', { HF_HUB_OFFLINE: 'yes' }, { isOffline: true }],
    ['HF_TOKEN', { HF_TOKEN: ' hf_x\n' }, { token: 'hf_x' }],
  ])('%s', async (_, env, expected) => {
    expect(await readSettings(env)).toMatchObject(expected);
  });

  test('the token file; HF_TOKEN goes before it', async () => {
    writeFileSync(join(home, 'token'), 'hf_file\n');
    expect((await readSettings({ HF_HOME: home })).token).toBe('hf_file');
    expect((await readSettings({ HF_HOME: home, HF_TOKEN: 'hf_env' })).token).toBe('hf_env');
  });

  test('what cannot be used is said', async () => {
    await expect(readSettings({ HF_ENDPOINT: 'mirror' })).rejects.toThrow(
      /^HF_ENDPOINT is "mirror", expected an address such as https:\/\/huggingface\.co$/,
    );
    await expect(readSettings({ HF_TOKEN: 'hf x' })).rejects.toThrow(/^HF_TOKEN .*copy it again$/);
  });
});

describe('ranges', () => {
  test('as a set of bytes, whatever the order', () => {
    const random = uniform(1);
    for (let round = 0; round < 50; round++) {
      const size = 40;
      const set = new Set<number>();
      let ranges: Ranges = [];
      for (let i = 0; i < 8; i++) {
        const begin = Math.floor(random() * size);
        const end = Math.min(size, begin + Math.floor(random() * 9));
        ranges = add(ranges, [begin, end]);
        for (let at = begin; at < end; at++) set.add(at);
      }
      expect(isRanges(ranges, size)).toBe(true);
      const gaps = missing(ranges, size, 3);
      expect(gaps.every(([begin, end]) => end > begin && end - begin <= 3)).toBe(true);
      const absent = gaps.flatMap(([b, e]) => Array.from({ length: e - b }, (_, i) => b + i));
      expect(absent).toEqual(
        Array.from({ length: size }, (_, i) => i).filter((at) => !set.has(at)),
      );
    }
  });

  test.each([
    [null],
    [[[0]]],
    [[[5, 3]]],
    [[[0, 99]]],
    [
      [
        [0, 4],
        [2, 6],
      ],
    ],
    [[['0', 1]]],
  ])('a note with %j is no set', (value) => expect(isRanges(value, 50)).toBe(false));
});

describe('one pull at a time', () => {
  test('a lock of a process that lives', async () => {
    const lock = join(home, 'x.lock');
    writeFileSync(lock, String(process.ppid));
    await expect(withLock(lock, async () => 1)).rejects.toThrow(
      `another invsr (process ${process.ppid}) is fetching to the same place`,
    );
  });

  test('one that a killed process left', async () => {
    const lock = join(home, 'x.lock');
    writeFileSync(lock, String(2 ** 22 + 1)); // above the largest process id of Linux
    expect(await withLock(lock, async () => readFileSync(lock, 'utf8'))).toBe(String(process.pid));
    expect(await readdir(home)).toEqual([]);
  });
});

describe('proxies', () => {
  test.each([
    ['are used', '', 1],
    ['are not used for hosts in NO_PROXY', '127.0.0.1', 0],
  ])('%s', async (_, noProxy, expected) => {
    const tunnels: (string | undefined)[] = [];
    const proxy = createServer().on('connect', (request, socket) => {
      tunnels.push(request.url);
      const [host, port] = (request.url ?? '').split(':');
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const hub = await startHub();
    const before = { ...process.env };
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    for (const name of ['http_proxy', 'HTTP_PROXY']) process.env[name] = address;
    for (const name of ['no_proxy', 'NO_PROXY']) process.env[name] = noProxy;
    const client = createClient({ endpoint: hub.endpoint, token: undefined });
    const { commit } = await readRepository(client, { repo: SD, revision: 'main' });
    expect(commit).toBe(COMMIT);
    expect(tunnels).toHaveLength(expected);
    process.env = before;
    await client.close();
    await hub.stop();
    await new Promise((resolve) => proxy.close(resolve));
  });
});
