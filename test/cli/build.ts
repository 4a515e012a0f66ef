/** Runs once before the tier: the tests start dist/cli/main.js, as a user does. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export function setup(): void {
  const root = join(import.meta.dirname, '../..');
  execFileSync(process.execPath, ['scripts/build.mjs', '--fast'], { cwd: root, stdio: 'inherit' });
}
