/** Dawn in Node: our toggles, unless the caller says otherwise; the globals that browsers have. */
import { expect, test } from 'vitest';
import { mergeToggles } from '../../src/engine/node-adapters.ts';
import { listAdapters } from '../../src/engine/node-device.ts';

test('ours by default, and others besides', () => {
  const ours = mergeToggles();
  expect(ours.enable).toContain('disable_robustness');
  expect(mergeToggles({ enable: ['skip_validation'] })).toEqual({
    enable: [...ours.enable, 'skip_validation'],
    disable: ours.disable,
  });
});

test('the caller wins', () => {
  const { enable, disable } = mergeToggles({
    enable: ['timestamp_quantization'],
    disable: ['disable_robustness'],
  });
  expect(enable).toContain('timestamp_quantization');
  expect(enable).not.toContain('disable_robustness');
  expect(disable).toEqual(['disable_robustness']);
});

test('adapters are listed with the globals that a check of their matrices needs', async () => {
  Reflect.deleteProperty(globalThis, 'GPUBufferUsage');
  await listAdapters();
  expect(globalThis).toHaveProperty('GPUBufferUsage');
});
