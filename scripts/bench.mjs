/**
 * `npm run bench -- NAME [options]` (bench/README.md has the names): bundles bench/main.ts and runs it. Nothing
 * is measured through a TypeScript loader.
 */
import { readFileSync } from 'node:fs';
import { installIfNeeded } from './install.mjs';

/** Not in dist/, which is published. */
const BUNDLE = '.cache/bench/main.js';

installIfNeeded();
const { build } = await import('esbuild');
const { dependencies, version } = JSON.parse(readFileSync('package.json', 'utf8'));
await build({
  entryPoints: ['bench/main.ts'],
  outfile: BUNDLE,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: [...Object.keys(dependencies), '@sparticuz/chromium'],
  sourcemap: true,
  define: { INVSR_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
});
process.argv.splice(1, 1, BUNDLE);
await import(`../${BUNDLE}`);
