/** Errors as the page tells them: what is short of memory can be helped by smaller tiles, the rest cannot. */
import { afterEach, expect, test } from 'vitest';
import { explain } from '../../demo/explain.ts';
import { change, DEFAULTS, options } from '../../demo/state/options.ts';
import { HubError, StorageError } from '../../src/browser.ts';
import { DeviceError, MemoryError } from '../../src/index.ts';

const PROBLEM = { what: 'a', needed: 'b', got: 'c', remedy: 'd.' };

afterEach(() => void (options.value = DEFAULTS));

test.each([
  ['DeviceError', new DeviceError({ ...PROBLEM, isMemory: true })],
  ['MemoryError', new MemoryError('too much')],
])('%s of memory: smaller tiles, then one network at a time', (_, error) => {
  expect(explain(error)).toMatchObject({
    text: expect.stringContaining('memory'),
    action: { label: 'Use tiles of 96' },
  });
  change({ tile: 32 });
  expect(explain(error).action?.label).toBe('Use less memory');
  change({ lowMemory: true });
  expect(explain(error).action).toBeUndefined();
});

test('a transfer is told by its kind, with what was said as details; what is damaged, and storage, by their own sentences', () => {
  const told = 'sd/model at main: HTTP 4xx';
  for (const problem of ['unreachable', 'refused', 'denied', 'missing'] as const) {
    const { text, details } = explain(new HubError(told, { problem }));
    expect(text).not.toMatch(/HTTP/);
    expect(details).toBe(`${told}.`);
  }
  for (const problem of ['unusable', 'damaged'] as const) {
    const { text, details } = explain(new HubError(told, { problem }));
    expect([text, details]).toEqual([`${told}.`, undefined]);
  }
  expect(explain(new HubError('no such name')).text).toBe('No such name.');
  const full = new StorageError('sd-turbo needs 1 MB more', { problem: 'quota' });
  expect(explain(full).text).toBe('Sd-turbo needs 1 MB more.');
});

test('another DeviceError is told as it is', () => {
  expect(explain(new DeviceError(PROBLEM))).toEqual({
    kind: 'problem',
    text: 'That did not work: a: got c, needed b. d.',
  });
});

test.each([
  'Failed to fetch dynamically imported module: https://a.example/chunks/a.js',
  'error loading dynamically imported module: https://a.example/chunks/a.js',
  'Importing a module script failed.',
])('code that is gone after an update: %s', (said) => {
  expect(explain(new TypeError(said))).toMatchObject({
    text: expect.stringMatching(/^A part of this page did not come/),
    action: { label: 'Load again' },
  });
});
