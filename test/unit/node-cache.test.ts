/** Files kept on disk: whole or not at all, in the first folder that takes them. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { nodeCache } from '../../src/weights/node-cache.ts';

const root = mkdtempSync(join(tmpdir(), 'invsr-cache-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('nodeCache', () => {
  const bytes = Uint8Array.of(1, 2, 3);

  test('makes its folder, replaces what is there, leaves nothing else', async () => {
    const folder = join(root, 'a/b');
    const cache = nodeCache([folder]);
    expect(await cache.read('k')).toBeUndefined();
    await cache.write('k', Uint8Array.of(9));
    await cache.write('k', bytes);
    expect(await cache.read('k')).toEqual(bytes);
    expect(readdirSync(folder)).toEqual(['k.safetensors']);
  });

  test('takes the next folder where one cannot be written', async () => {
    const [blocked, free] = [join(root, 'file/inside'), join(root, 'free')];
    writeFileSync(join(root, 'file'), 'in the way');
    const failures: unknown[] = [];
    const cache = nodeCache([blocked, free], (reason) => failures.push(reason));
    await cache.write('k', bytes);
    expect(existsSync(join(free, 'k.safetensors'))).toBe(true);
    expect(await cache.read('k')).toEqual(bytes);
    expect(failures).toEqual([]);
  });

  test('says why where none can be written', async () => {
    const blocked = join(root, 'file/inside');
    writeFileSync(join(root, 'file'), 'in the way');
    const failures: unknown[] = [];
    await nodeCache([blocked], (reason) => failures.push(reason)).write('k', bytes);
    expect(failures).toMatchObject([{ code: 'ENOTDIR' }]);
    expect(readFileSync(join(root, 'file'), 'utf8')).toBe('in the way');
  });
});
