/** Tuned designs between runs: what they belong to, and what is refused. */
import { describe, expect, test } from 'vitest';
import type { Capabilities } from '../../src/engine/device.ts';
import {
  adapterKey,
  type Identity,
  identityOf,
  packDesigns,
  readDesigns,
} from '../../src/tune/designs-file.ts';
import type { ClassResult } from '../../src/tune/tune.ts';

const CAPABILITIES = {
  vendor: 'nvidia',
  architecture: 'hopper',
  device: '0x2330',
  description: 'NVIDIA: 550.54',
  features: ['shader-f16', 'subgroups'],
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
} as unknown as Capabilities;
const IDENTITY = identityOf(CAPABILITIES, 'dawn 1', 'aaaa');

const classOf = (key: string, chosen: string): ClassResult => ({
  key,
  path: 'layer',
  count: 1,
  chosen,
  first: 'a',
  share: 0.5,
  designs: [{ design: 'a', milliseconds: 2, median: 2, rounds: 20 }],
});

test('what was packed is read, the later of two classes of one key', () => {
  const text = packDesigns(IDENTITY, [classOf('k', 'a'), classOf('l', 'b'), classOf('k', 'c')]);
  expect(readDesigns(text, IDENTITY)).toMatchObject({
    table: { designs: { k: 'c', l: 'b' }, identity: IDENTITY },
  });
});

describe('a table is refused where', () => {
  const text = packDesigns(IDENTITY, [classOf('k', 'a')]);
  const changes: readonly (keyof Identity)[] = [
    'vendor',
    'architecture',
    'device',
    'driver',
    'features',
    'subgroups',
    'runtime',
    'kernels',
  ];
  test('every part of the identity is looked at', () => {
    expect(Object.keys(IDENTITY).toSorted()).toEqual(changes.toSorted());
  });
  test.each(changes)('%s differs', (name) => {
    const read = readDesigns(text, { ...IDENTITY, [name]: 'another' });
    expect(read).toEqual({
      problem: expect.stringContaining(`was "${IDENTITY[name]}" and is "another"`),
    });
  });
  test.each([
    ['nothing', ''],
    ['half', text.slice(0, text.length / 2)],
    ['no object', '[1]'],
    ['another version', text.replace('invsr designs 1', 'invsr designs 0')],
    ['designs of numbers', text.replace('"k": "a"', '"k": 1')],
    ['no classes', text.replace('"classes"', '"other"')],
    ['an identity without a driver', text.replace('"driver"', '"drivers"')],
  ])('it is %s', (_, damaged) => {
    expect(damaged).not.toBe(text);
    expect(readDesigns(damaged, IDENTITY)).toEqual({
      problem: expect.stringMatching(/^it is damaged/),
    });
  });
});

test('files are named for the adapter, not for its driver', () => {
  expect(adapterKey(IDENTITY)).toBe('nvidia-hopper-0x2330');
  expect(adapterKey({ ...IDENTITY, driver: 'newer' })).toBe(adapterKey(IDENTITY));
  expect(adapterKey({ ...IDENTITY, device: '../..' })).toBe('nvidia-hopper');
  const nameless = { vendor: '', architecture: '', device: '', description: '' };
  expect(adapterKey(identityOf({ ...CAPABILITIES, ...nameless }, ''))).toBe('unnamed');
});
