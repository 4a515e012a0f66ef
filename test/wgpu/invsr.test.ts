/**
 * InvSR on wgpu, by Deno: whole paths, and what applications are promised on a device of theirs. On lavapipe
 * where it is there, in f16: one compilation serves both.
 */
import { describe, expect, test } from 'vitest';
import type { Calls } from '../harness/calls.ts';
import { denoAdapters, useDeno } from '../harness/deno.ts';
import { pathTests } from '../harness/engine-tests.ts';
import { invsrTests } from '../harness/invsr-tests.ts';

if (denoAdapters.length === 0) test.skip('no Deno, or no adapter for it');

describe.each(denoAdapters.slice(-1))('%s', (adapter) => {
  describe('the engine', () => {
    const page = useDeno('engine-page.ts', adapter);
    const call: Calls<Window['engine']> = (...given) => page().call('engine')(...given);

    pathTests({
      call,
      site: () => page().site,
      adapter,
      name: `wgpu ${adapter}`,
      goldens: ['e2e_pad20x27_wavelet'],
      precision: adapter === 'lavapipe' ? 'f16' : 'f32',
    });
  });

  describe('class InvSR', () => {
    const page = useDeno('invsr-page.ts', adapter);
    const call: Calls<Window['app']> = (...given) => page().call('app')(...given);

    invsrTests({ call, site: () => page().site });

    test('an ImageBitmap is refused by its type: wgpu copies bytes alone', async () => {
      expect(await call('bitmap', page().site.tiny)).toEqual({
        name: 'TypeError',
        message: expect.stringMatching(/give its bytes/),
      });
    });
  });
});
