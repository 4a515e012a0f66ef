/** `node scripts/seams.mjs [part of an adapter's name]`: bundles bench/seams.ts and runs it; rewrites the table of docs/seams.md. */
import { readFileSync } from 'node:fs';
import { installIfNeeded } from './install.mjs';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

/** Not in dist/, which is published. */
const BUNDLE = '.cache/bench/seams.js';

installIfNeeded();
const { build } = await import('esbuild');
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
await build({
  entryPoints: ['bench/seams.ts'],
  outfile: BUNDLE,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: Object.keys(dependencies),
  logLevel: 'warning',
});
await import(`../${BUNDLE}`);
