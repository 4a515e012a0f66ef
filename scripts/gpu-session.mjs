/**
 * `node scripts/gpu-session.mjs [--quick] [--adapter NAME] [--out FILE] [--stages LIST] [--from FILE]`:
 * bundles bench/gpu-session.ts and runs it. `--bundle FILE` only writes the bundle, one ES module that needs
 * nothing but Node and the package `webgpu`, to run on a machine without this repository; `--pack FOLDER` an
 * archive with those two as well.
 */
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import { commit } from './commit.mjs';
import { packSession } from './gpu-session-pack.mjs';
import { installIfNeeded } from './install.mjs';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

installIfNeeded();
const { build } = await import('esbuild');
const { values } = parseArgs({
  options: { bundle: { type: 'string' }, pack: { type: 'string' } },
  strict: false,
});
const outfile = values.bundle ?? '.cache/bench/gpu-session.js';
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
await build({
  entryPoints: ['bench/gpu-session.ts'],
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: ['webgpu', '@sparticuz/chromium'],
  define: { INVSR_VERSION: JSON.stringify(version), INVSR_COMMIT: JSON.stringify(commit()) },
  logLevel: 'warning',
});
if (values.pack !== undefined) packSession(outfile, values.pack);
else if (values.bundle === undefined) {
  process.argv.splice(1, 1, outfile);
  await import(`../${outfile}`);
}
