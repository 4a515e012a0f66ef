/** Errors as the page tells them: what is short of memory can be helped by smaller tiles, the rest cannot. */
import { afterEach, expect, test } from 'vitest';
import { explain } from '../../demo/explain.ts';
import { change, DEFAULTS, options } from '../../demo/state/options.ts';
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

test('another DeviceError is told as it is', () => {
  expect(explain(new DeviceError(PROBLEM))).toEqual({
    kind: 'problem',
    text: 'That did not work: a: got c, needed b. d.',
  });
});
