/** npm, and the exact packages of a package-lock.json, installed when they are missing or out of date. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
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
  if (isInstalled(folder)) return;
  const packages = join(folder, 'node_modules');
  // npm would empty the folder that the link leads to, which others use.
  if (lstatSync(packages, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Error(`${packages} is a link and out of date: run npm ci where it leads to`);
  }
  console.log(`installing packages (once, ${size}) …`);
  npm(['ci', '--prefix', folder, ...QUIET], { stdio: 'inherit' });
}

/** npm keeps a lock of what it has installed. Packages for other systems are optional, and not there. */
function isInstalled(folder) {
  const packagesOf = (path) => JSON.parse(readFileSync(join(folder, path), 'utf8')).packages;
  const marker = 'node_modules/.package-lock.json';
  if (!existsSync(join(folder, marker))) return false;
  const installed = packagesOf(marker);
  const { '': _, ...wanted } = packagesOf('package-lock.json');
  return Object.entries(wanted).every(([path, { integrity, optional }]) =>
    installed[path] ? installed[path].integrity === integrity : optional,
  );
}
