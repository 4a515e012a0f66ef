import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Of the code in the current folder, with `+` when files differ from it; the version where there is no clone. */
export function commit() {
  try {
    const git = (...args) => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') ? '+' : '');
  } catch {
    return `invsr ${JSON.parse(readFileSync('package.json', 'utf8')).version}`;
  }
}
