/** The session for lent GPUs, cut down, on the first adapter at hand: that it runs, and what it writes. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { adapterNames } from '../harness/device.ts';
import { ROOT } from './invsr.ts';

const ADAPTER = { swiftshader: 'SwiftShader', lavapipe: 'llvmpipe' } as const;

test('every stage gives figures', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-session-'));
  const out = join(folder, 'session.json');
  const adapter = ADAPTER[adapterNames.at(-1)!];
  const args = ['scripts/gpu-session.mjs', '--quick', '--adapter', adapter, '--out', out];
  try {
    await promisify(execFile)(process.execPath, args, { cwd: ROOT });
    const session = JSON.parse(readFileSync(out, 'utf8'));
    expect(session).toMatchObject({
      quick: true,
      matrix: null,
      adapter: { capabilities: { isSoftware: true }, matrices: [] },
    });
    for (const stage of ['guess', 'tuned']) {
      expect(session[stage].rows).toHaveLength(3);
      expect(session[stage].ceilings.f32Gflops).toBeGreaterThan(0);
    }
    expect(Object.keys(session.tune.designs).length).toBeGreaterThan(0);
    expect(session.path[0].wall.median).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
