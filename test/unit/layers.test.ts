/** Imports point left: engine ◀ kernels ◀ graph ◀ invsr ◀ tune, library ◀ entries ◀ cli; weights beside graph. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const SRC = 'src';

/** What a layer may import from besides itself; `type:` allows `import type` only. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  engine: [],
  kernels: ['engine'],
  weights: ['type:engine'],
  graph: ['engine', 'kernels', 'weights'],
  invsr: ['engine', 'type:kernels', 'graph', 'weights'],
  // References of kernels are what designs are compared with.
  tune: ['engine', 'kernels', 'graph', 'invsr', 'weights'],
  library: ['engine', 'graph', 'invsr', 'weights'],
  entry: ['engine', 'graph', 'invsr', 'tune', 'library', 'weights'],
  cli: ['engine', 'invsr', 'weights', 'graph', 'tune', 'library', 'entry', 'bench'],
};

/** Files directly in src are the package's entries; ../bench is beside it. */
const layerOf = (path: string): string => {
  if (path.startsWith('../bench/')) return 'bench';
  const [first = '', ...rest] = path.split('/');
  return rest.length > 0 ? first : 'entry';
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((f) =>
  f.endsWith('.ts'),
);

describe.each(files)('%s', (file) => {
  const layer = layerOf(file);
  const text = readFileSync(join(SRC, file), 'utf8');
  const imports = [...text.matchAll(/^(?:import|export)(\s+type)?\s[^'"]*?from '(\.[^']+)'/gms)];

  test('imports point left', () => {
    const wrong = imports.flatMap(([statement, type, path = '']) => {
      const target = layerOf(relative(SRC, join(SRC, dirname(file), path)));
      // `import { type A, type B }` is erased as well.
      const names =
        /\{([^}]*)\}/
          .exec(statement)?.[1]
          ?.split(',')
          .map((name) => name.trim()) ?? [];
      const isType =
        type !== undefined || names.filter(Boolean).every((name) => name.startsWith('type '));
      const allowed = ALLOWED[layer] ?? [];
      const ok =
        target === layer ||
        allowed.includes(target) ||
        (isType && allowed.includes(`type:${target}`));
      return ok ? [] : [`${layer} imports ${target}: ${path}`];
    });
    expect(wrong).toEqual([]);
  });
});

test('every file was looked at', () => {
  expect(files.length).toBeGreaterThan(60);
  expect(files.map(layerOf).every((layer) => layer in ALLOWED)).toBe(true);
});

/** Entries for pages: their files in `exports` of package.json. */
const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
};
const PAGE_ENTRIES = Object.values(exports).flatMap((target) =>
  Object.values(target)
    .filter((path) => path.startsWith('./dist/browser/'))
    .map((path) => path.replace('./dist/browser/', '').replace('.js', '.ts')),
);

test('entries for pages run in a browser: they import nothing of Node', () => {
  const seen = new Set<string>();
  const visit = (file: string): string[] => {
    if (seen.has(file)) return [];
    seen.add(file);
    const text = readFileSync(join(SRC, file), 'utf8');
    const paths = [...text.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
      ([, at = '']) => at,
    );
    const node = paths.filter((at) => at.startsWith('node:')).map((at) => `${file}: ${at}`);
    const inner = paths.filter((at) => at.startsWith('.'));
    return [...node, ...inner.flatMap((at) => visit(join(dirname(file), at)))];
  };
  expect(PAGE_ENTRIES).toContain('index.ts');
  expect(PAGE_ENTRIES.flatMap(visit)).toEqual([]);
  expect(seen.size).toBeGreaterThan(100);
});

test('the bench of kernels runs in a browser and in the installed package: nothing of Node or tests', () => {
  const seen = new Set<string>();
  const visit = (file: string): string[] => {
    if (seen.has(file)) return [];
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    const paths = [...text.matchAll(/\bfrom\s+'([^']+)'/g)].map(([, at = '']) => at);
    const wrong = paths.filter((at) => /^node:|\/(?:cli|test)\//.test(at));
    return [
      ...wrong.map((at) => `${file}: ${at}`),
      ...paths.filter((at) => at.startsWith('.')).flatMap((at) => visit(join(dirname(file), at))),
    ];
  };
  const entries = ['kernel-bench', 'cases', 'compare', 'read-record', 'kernel-report'];
  expect(entries.flatMap((name) => visit(`bench/${name}.ts`))).toEqual([]);
  expect(seen.size).toBeGreaterThan(60);
});

test('only readback.ts maps buffers', () => {
  const users = files.filter((f) => /\.mapAsync\(/.test(readFileSync(join(SRC, f), 'utf8')));
  expect(users).toEqual(['engine/readback.ts']);
});
