/** The cache where symbolic links cannot be made: Windows without developer mode. */
import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { createClient } from '../../src/weights/hub/client.ts';
import { findLocal } from '../../src/weights/hub/local.ts';
import { SD_TURBO } from '../../src/weights/hub/models.ts';
import { cachePlace } from '../../src/weights/hub/place.ts';
import { planPull, pull } from '../../src/weights/hub/pull.ts';
import { planRemoval, remove } from '../../src/weights/hub/remove.ts';
import { readSettings } from '../../src/weights/hub/settings.ts';
import { startHub } from '../harness/hub-models.ts';

vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  symlink: () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' })),
}));

const home = mkdtempSync(join(tmpdir(), 'invsr-hf-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('snapshots hold the files; they are found, checked and removed', async () => {
  process.env['NO_PROXY'] = '127.0.0.1,localhost';
  const server = await startHub();
  const settings = await readSettings({ HF_HOME: home, HF_ENDPOINT: server.endpoint });
  const client = createClient(settings);
  const options = { client, place: cachePlace(settings, SD_TURBO), revisions: new Map() };
  await pull(await planPull(SD_TURBO, options), options);

  const local = await findLocal(SD_TURBO, settings);
  expect(local.missing).toEqual([]);
  expect(local.files.every(({ path }) => lstatSync(path).isFile())).toBe(true);
  // No link tells the id; the record does.
  expect(local.files.every(({ checksum }) => checksum !== undefined)).toBe(true);

  server.reset();
  await pull(await planPull(SD_TURBO, options), options);
  expect(server.transfers).toEqual([]);

  await remove(SD_TURBO, settings, await planRemoval(SD_TURBO, settings, { isAll: false }));
  expect(await readdir(join(home, 'hub'))).toEqual([]);
  await client.close();
  await server.stop();
});
