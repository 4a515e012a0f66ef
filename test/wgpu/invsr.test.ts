/** Class InvSR on a device of wgpu's, by Deno. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveSite, type Site } from '../browser/site.ts';
import { callsInDeno, denoAdapters, type DenoProcess, startDeno } from '../harness/deno.ts';
import { invsrTests } from '../harness/invsr-tests.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite('invsr-page.ts');
});
afterAll(() => site?.close());

if (denoAdapters.length === 0) test.skip('no Deno, or no adapter for it');

describe.each(denoAdapters)('%s', (adapter) => {
  let deno: DenoProcess;
  beforeAll(async () => {
    deno = await startDeno({ file: site.script, url: site.url, adapter });
  });
  afterAll(() => deno?.close());

  const call = callsInDeno(() => deno, 'app');
  invsrTests({ call, site: () => site });

  test('an ImageBitmap is refused by its type: wgpu copies bytes alone', async () => {
    expect(await call('bitmap', site.tiny)).toEqual({
      name: 'TypeError',
      message: expect.stringMatching(/give its bytes/),
    });
  });
});
