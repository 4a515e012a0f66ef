/** When the browser asks before the page is left: while something would be lost, and not else. */
import { afterEach, expect, test, vi } from 'vitest';
import { guardLeaving } from '../../demo/actions/leaving.ts';
import { isFleeting } from '../../demo/actions/models.ts';
import type { Picture } from '../../demo/picture/open.ts';
import * as app from '../../demo/state/app.ts';
import { DEFAULTS } from '../../demo/state/options.ts';

const PICTURE = { name: 'a', width: 1, height: 1 } as Picture;
const RESULT: app.Result = { isWhole: true, options: DEFAULTS, model: 'a', milliseconds: 1 };

afterEach(() => vi.unstubAllGlobals());

test('a run, a result that was not saved and a download in memory would be lost; our own photos are not', () => {
  const listeners = new Set<unknown>();
  vi.stubGlobal('addEventListener', (_: string, listener: unknown) => listeners.add(listener));
  vi.stubGlobal('removeEventListener', (_: string, listener: unknown) =>
    listeners.delete(listener),
  );
  guardLeaving();
  const asks = (): boolean => listeners.size > 0;

  app.picture.value = PICTURE;
  expect(asks()).toBe(false);
  app.run.value = { kind: 'preparing', aim: 'whole', fraction: 0 };
  expect(asks()).toBe(true);
  app.run.value = { kind: 'idle' };
  expect(asks()).toBe(false);

  app.result.value = RESULT;
  expect(asks()).toBe(true);
  app.kept.value = app.changes.value;
  expect(asks()).toBe(false);
  app.changes.value++; // a part is made again
  expect(asks()).toBe(true);
  app.sample.value = PICTURE;
  expect(asks()).toBe(false);

  isFleeting.value = true;
  expect(asks()).toBe(true);
});
