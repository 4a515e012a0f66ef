/** Installs the exact packages of package-lock.json when they are missing or out of date. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, statSync } from 'node:fs';

export function installIfNeeded() {
  const marker = 'node_modules/.package-lock.json';
  const fresh =
    existsSync(marker) && statSync(marker).mtimeMs >= statSync('package-lock.json').mtimeMs;
  if (fresh) return;
  // npm would empty the folder that the link leads to, which others use.
  if (lstatSync('node_modules', { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Error('node_modules is a link and out of date: run npm ci where it leads to');
  }
  console.log('installing packages (once, about 250 MB) …');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // From the caller's npm where there is one, so that its version and settings apply.
  const cli = process.env.npm_execpath;
  const [command, ...prefix] = cli ? [process.execPath, cli] : [npm];
  execFileSync(command, [...prefix, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    stdio: 'inherit',
  });
}
