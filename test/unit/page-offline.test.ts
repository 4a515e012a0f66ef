/** When the service worker, which loads all of the page, comes: while nothing else does. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { setSession } from '../../demo/actions/current-session.ts';
import { prepare } from '../../demo/actions/memory.ts';
import { large } from '../../demo/actions/models.ts';
import { keepOffline } from '../../demo/actions/offline.ts';
import type { Session } from '../../demo/engine/session.ts';
import type { Picture } from '../../demo/picture/open.ts';
import * as app from '../../demo/state/app.ts';
import type { Capabilities } from '../../src/index.ts';

const register = vi.fn(async () => {});

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('navigator', { serviceWorker: { register } });
  keepOffline();
});
afterEach(() => {
  register.mockClear();
  setSession(null);
  app.picture.value = null;
  app.notice.value = null;
  app.device.value = { kind: 'starting' };
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const times = async (): Promise<number> => {
  await vi.advanceTimersByTimeAsync(60_000);
  return register.mock.calls.length;
};

test('after the device, a run and a download, once', async () => {
  expect(await times()).toBe(0);
  app.run.value = { kind: 'preparing', aim: 'whole', fraction: 0 };
  app.device.value = { kind: 'ready', capabilities: {} as Capabilities };
  expect(await times()).toBe(0);
  large.value = { kind: 'downloading', loaded: 0, total: 1 };
  app.run.value = { kind: 'idle' };
  expect(await times()).toBe(0);
  large.value = { kind: 'here' };
  expect(await times()).toBe(1);
  large.value = { kind: 'unknown' };
  app.run.value = { kind: 'preparing', aim: 'whole', fraction: 0 };
  app.run.value = { kind: 'idle' };
  expect(await times()).toBe(1);
});

test('after a preparation, though it failed', async () => {
  let fail = (_error: Error): void => {};
  const ended = new Promise<void>((_resolve, reject) => (fail = reject));
  setSession({ prepare: () => ended, plannedBytes: async () => undefined } as unknown as Session);
  app.picture.value = { name: 'a', width: 1, height: 1 } as Picture;
  app.device.value = { kind: 'ready', capabilities: {} as Capabilities };
  const prepared = prepare(undefined);
  expect(await times()).toBe(0);
  fail(new Error('no memory'));
  await prepared;
  expect(app.notice.value?.text).toMatch(/no memory/);
  expect(await times()).toBe(1);
});
