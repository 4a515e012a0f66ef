/**
 * Kernels on wgpu, by Deno: naga compiles what Tint does elsewhere, and there are no subgroups. It takes all of
 * them; they run one by one on SwiftShader, for lavapipe takes long over what it has not compiled before.
 */
import { describe, expect, test } from 'vitest';
import type { Calls } from '../harness/calls.ts';
import { denoAdapters, useDeno } from '../harness/deno.ts';
import { kernelTests } from '../harness/engine-tests.ts';

if (denoAdapters.length === 0) test.skip('no Deno, or no adapter for it');

describe.each(denoAdapters)('%s', (adapter) => {
  const page = useDeno('engine-page.ts', adapter);
  const call: Calls<Window['engine']> = (...given) => page().call('engine')(...given);
  const target = { shaderF16: adapter === 'lavapipe', subgroupSize: 0 };

  test.each(['cpu', 'alu'] as const)('naga takes every kernel of %s', async (family) => {
    const { texts, refused } = await call('refusals', { ...target, family });
    expect(refused).toEqual([]);
    expect(texts).toBeGreaterThan(200);
  });

  if (adapter === denoAdapters.at(0)) kernelTests({ call, target, families: ['cpu', 'alu'] });
});
