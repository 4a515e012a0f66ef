/**
 * `npm run demo [-- upscale options]`: installs what is missing, builds, and upscales a sample
 * picture with the embedded model into out/.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { helpIfAsked } from './help.mjs';
import { installIfNeeded } from './install.mjs';

/** Ends with the first command that fails. */
function node(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

helpIfAsked();
installIfNeeded();
node('scripts/build.mjs', '--fast');
mkdirSync('out', { recursive: true });
const input = 'examples/images/still-life-lr.png';
const outputs = ['out/still-life-x4.png', '--before-after', 'out/still-life-before-after.png'];
node('dist/cli/main.js', 'upscale', input, '-o', ...outputs, ...process.argv.slice(2));
