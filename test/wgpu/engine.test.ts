/** The engine on wgpu, by Deno: naga compiles what Tint does elsewhere, and there are no subgroups. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { serveSite, type Site } from '../browser/site.ts';
import { callsInDeno, denoAdapters, type DenoProcess, startDeno } from '../harness/deno.ts';
import { engineTests } from '../harness/engine-tests.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite('engine-page.ts');
});
afterAll(() => site?.close());

if (denoAdapters.length === 0) test.skip('no Deno, or no adapter for it');

describe.each(denoAdapters)('%s', (adapter) => {
  let deno: DenoProcess;
  beforeAll(async () => {
    deno = await startDeno({ file: site.script, url: site.url, adapter });
  });
  afterAll(() => deno?.close());

  engineTests({
    call: callsInDeno(() => deno, 'engine'),
    site: () => site,
    target: { family: 'cpu', shaderF16: adapter === 'lavapipe', subgroupSize: 0 },
    adapter,
    name: `wgpu ${adapter}`,
    isWhole: true,
  });
});
