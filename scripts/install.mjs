/** npm, and the exact packages of a package-lock.json, installed when they are missing or out of date. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** npm's output, or an error. The caller's npm where there is one, so that its version and settings apply. */
export function npm(args, options = {}) {
  const cli = process.env.npm_execpath;
  const name = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const [command, ...prefix] = cli ? [process.execPath, cli] : [name];
  return execFileSync(command, [...prefix, ...args], { encoding: 'utf8', ...options });
}

/** As .npmrc says, for folders that have none. */
export const QUIET = ['--ignore-scripts', '--no-audit', '--no-fund'];

/** Those of `folder`; `size` for who waits: `npm ci --ignore-scripts --cache NEW`, then `du -sm NEW node_modules`. */
export function installIfNeeded({ folder = '.', size = 'about 210 MB' } = {}) {
  const packages = join(folder, 'node_modules');
  const marker = join(packages, '.package-lock.json');
  const lock = join(folder, 'package-lock.json');
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs) return;
  // npm would empty the folder that the link leads to, which others use.
  if (lstatSync(packages, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Error(`${packages} is a link and out of date: run npm ci where it leads to`);
  }
  console.log(`installing packages (once, ${size}) …`);
  npm(['ci', '--prefix', folder, ...QUIET], { stdio: 'inherit' });
}
