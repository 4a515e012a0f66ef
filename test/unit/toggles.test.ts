/** Dawn's toggles: ours, unless the caller says otherwise. */
import { expect, test } from 'vitest';
import { mergeToggles } from '../../src/engine/node-device.ts';

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
