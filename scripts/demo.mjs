/**
 * `npm run demo [-- upscale options]`: installs what is missing, builds, and upscales a sample
 * picture with the embedded model into out/.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { installIfNeeded } from './install.mjs';

installIfNeeded();
process.argv.push('--fast');
await import('./build.mjs');
mkdirSync('out', { recursive: true });
const extra = process.argv.slice(2).filter((arg) => arg !== '--fast');
const { status } = spawnSync(
  process.execPath,
  [
    'dist/cli/main.js',
    'upscale',
    'examples/images/still-life-lr.png',
    '-o',
    'out/still-life-x4.png',
    '--before-after',
    'out/still-life-before-after.png',
    ...extra,
  ],
  { stdio: 'inherit' },
);
process.exitCode = status ?? 1;
