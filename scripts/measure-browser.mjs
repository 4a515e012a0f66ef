/**
 * `npm run measure:browser [-- --runs 3 --traces 5 --more]`: what the page's first picture costs in a browser that
 * has never seen it, and for how long its thread is kept. Bundles test/browser/measure.ts, which says what is printed,
 * and runs it.
 */
import { installIfNeeded } from './install.mjs';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

const BUNDLE = '.cache/measure-browser.mjs';

installIfNeeded();
const { build } = await import('esbuild');
await build({
  entryPoints: ['test/browser/measure.ts'],
  outfile: BUNDLE,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  logLevel: 'warning',
});
await import(`../${BUNDLE}`);
