/** Options that make no sense are refused in one sentence, whoever calls the library. */
import { expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { type UpscaleSettings, withDefaults } from '../../src/invsr/upscale-settings.ts';

// Of the capabilities only this one decides a default.
const device = { capabilities: { shaderF16: false } } as Pick<EngineContext, 'capabilities'>;

test.each<readonly [UpscaleSettings, message: string]>([
  [{ cfg: 0.5 }, 'cfg is 0.5, expected a number from 1 (off) on'],
  [{ cfg: -1 }, 'cfg is -1, expected'],
  [{ cfg: Number.NaN }, 'cfg is NaN, expected'],
  [{ cfg: Infinity }, 'cfg is Infinity, expected'],
  [{ tile: 20 }, 'tile is 20, expected a multiple of 8 from 16 on'],
  [{ tileBatch: 0 }, 'tileBatch is 0, expected a whole number of at least 1'],
  [{ overlap: 0.6 }, 'overlap is 0.6, expected a number from 0 to 0.5'],
])('%o', (options, message) => {
  expect(() => withDefaults(options, device)).toThrow(RangeError);
  expect(() => withDefaults(options, device)).toThrow(message);
});

test('sensible ones are taken', () => {
  expect(withDefaults({ cfg: 7.5, tile: 16, overlap: 0.5 }, device)).toMatchObject({
    cfg: 7.5,
    precision: 'f32',
  });
});
