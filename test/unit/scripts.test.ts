/** The scripts in an empty clone, and asked for help. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const textOf = (name: string): string => readFileSync(`scripts/${name}`, 'utf8');
const names = readdirSync('scripts').filter((name) => name.endsWith('.mjs'));

const installing = names.filter((name) => /^ *installIfNeeded\(\);/m.test(textOf(name)));

/** Modules that are there before the script's first line runs, with those of its own. */
function importsOf(name: string): string[] {
  const found = [...textOf(name).matchAll(/^import .*?'(.+)';/gm)].map(([, from = '']) => from);
  return found.flatMap((from) => (from.startsWith('./') ? [from, ...importsOf(from)] : [from]));
}

test.each(installing)('%s installs packages before it needs any', (name) => {
  const packages = importsOf(name).filter((from) => !/^(?:node:|\.\/)/.test(from));
  expect(packages).toEqual([]);
});

describe('--help', () => {
  const helping = names.filter((name) => /^ *helpIfAsked\(\);/m.test(textOf(name)));

  test.each(helping)('%s says what it does, and does nothing', (name) => {
    const text = execFileSync(process.execPath, [`scripts/${name}`, '--help']).toString();
    expect(text).toMatch(/npm run [a-z]|node scripts\//);
    expect(text).not.toMatch(/^ ?\*|^\/\*/m);
  });
  test('is left to the example after its name', () => {
    const run = spawnSync(process.execPath, ['scripts/examples.mjs', 'none', '--help']);
    expect(run.stderr.toString()).toMatch(/^no example none;/);
  });
});
