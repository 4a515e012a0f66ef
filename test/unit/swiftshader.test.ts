/** Unpacked drivers are whole or not there. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DeviceError } from '../../src/engine/errors.ts';
import { makeWhole } from '../../src/engine/swiftshader.ts';

const scratch = mkdtempSync(join(tmpdir(), 'invsr-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const fill = async (partial: string) => writeFileSync(join(partial, 'driver.so'), '');

test('a failure leaves nothing and names the place and the remedy', async () => {
  const folder = join(scratch, 'driver');
  const failing = makeWhole(folder, async (partial) => {
    await fill(partial);
    throw new Error('the archive is damaged');
  });
  await expect(failing).rejects.toThrow(DeviceError);
  await expect(failing).rejects.toThrow(
    /into .*driver: got the archive is damaged.*XDG_CACHE_HOME/,
  );
  expect(readdirSync(scratch)).toEqual([]);
});

test('a place that cannot be written', async () => {
  const failing = makeWhole(join(scratch, 'nowhere/driver'), fill);
  await expect(failing).rejects.toThrow(DeviceError);
});

test('filled once', async () => {
  const folder = join(scratch, 'driver');
  await makeWhole(folder, fill);
  await makeWhole(folder, async () => Promise.reject(new Error('filled twice')));
  expect(readdirSync(scratch, { recursive: true })).toEqual(['driver', 'driver/driver.so']);
});
