/**
 * The engine on wgpu, by Deno: naga compiles what Tint does elsewhere, and there are no subgroups. Cold
 * compilation takes long, on lavapipe most of all, so each of two adapters has its part.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveSite, type Site } from '../browser/site.ts';
import { callsInDeno, denoAdapters, type DenoProcess, startDeno } from '../harness/deno.ts';
import { kernelTests, pathTests } from '../harness/engine-tests.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite('engine-page.ts');
});
afterAll(() => site?.close());

if (denoAdapters.length === 0) test.skip('no Deno, or no adapter for it');

describe.each(denoAdapters)('%s', (adapter) => {
  const shaderF16 = adapter === 'lavapipe';
  let deno: DenoProcess;
  beforeAll(async () => {
    deno = await startDeno({ file: site.script, url: site.url, adapter });
  });
  afterAll(() => deno?.close());
  const call = callsInDeno(() => deno, 'engine');

  test.each(['cpu', 'alu'] as const)('naga takes every kernel of %s', async (family) => {
    const { texts, refused } = await call('refusals', { family, shaderF16, subgroupSize: 0 });
    expect(refused).toEqual([]);
    expect(texts).toBeGreaterThan(200);
  });

  const target = { shaderF16, subgroupSize: 0 };
  if (adapter === denoAdapters.at(0)) kernelTests({ call, target, families: ['cpu', 'alu'] });
  if (adapter === denoAdapters.at(-1)) {
    pathTests({
      call,
      site: () => site,
      adapter,
      name: `wgpu ${adapter}`,
      goldens: ['e2e_pad20x27_wavelet'],
      precision: shaderF16 ? 'f16' : 'f32',
    });
  }
});
