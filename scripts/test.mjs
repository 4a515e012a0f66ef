/** `npm test [-- vitest options]`: installs what is missing, builds, runs every tier. */
import { spawnSync } from 'node:child_process';
import { installIfNeeded } from './install.mjs';

installIfNeeded();
if (process.platform === 'linux' && process.arch === 'x64') {
  installIfNeeded({ folder: 'test/wgpu', size: '42 MB' });
}
const build = spawnSync(process.execPath, ['scripts/build.mjs', '--fast'], { stdio: 'inherit' });
const run =
  build.status === 0
    ? spawnSync(
        process.execPath,
        ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)],
        { stdio: 'inherit' },
      )
    : build;
process.exitCode = run.status ?? 1;
