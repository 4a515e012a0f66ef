/** What Dawn makes of a shader: SPIR-V as text, and the clamps in it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { buildSync } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');
const BUNDLE = join(ROOT, 'dist/harness/dump-child.mjs');

/** The disassembly of each text, compiled on an adapter with Dawn's index clamping. */
export async function dumpSpirv(adapter: string, texts: readonly string[]): Promise<string[]> {
  buildSync({
    entryPoints: [join(ROOT, 'test/harness/dump-child.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    define: { INVSR_VERSION: '""' },
    outfile: BUNDLE,
  });
  const child = spawn(process.execPath, [BUNDLE, adapter]);
  child.stdin.end(JSON.stringify(texts));
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.on('close', resolve)),
  ]);
  const dumps = stdout.split('/* Dumped SPIRV disassembly */').slice(1);
  if (code !== 0 || dumps.length !== texts.length) {
    throw new Error(
      `${dumps.length} dumps of ${texts.length} shaders, exit ${String(code)}: ${stderr}`,
    );
  }
  return dumps;
}

/** Accesses to the array `name`: of all of them, how many have their index clamped. */
export function clampsOf(spirv: string, name: string): { accesses: number; clamped: number } {
  const indices = [...spirv.matchAll(new RegExp(`OpAccessChain %\\S+ %${name} %(\\w+)`, 'g'))];
  const clamped = new Set(
    [...spirv.matchAll(/%(\w+) = OpExtInst %uint %\w+ UMin/g)].map(([, id]) => id),
  );
  return {
    accesses: indices.length,
    clamped: indices.filter(([, id]) => clamped.has(id)).length,
  };
}
