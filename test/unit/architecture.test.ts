/** docs/architecture.md names every file of src in its folder's section, and no file that is not there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { PASSES } from '../../src/graph/passes.ts';

const document = readFileSync('docs/architecture.md', 'utf8');

const between = (text: string, start: string, end: string): string => {
  const at = text.indexOf(start);
  expect(at, start).toBeGreaterThanOrEqual(0);
  const after = text.slice(at + start.length);
  const stop = after.indexOf(end);
  return stop < 0 ? after : after.slice(0, stop);
};

/** File names in prose and tables: `a.ts`, `b*.ts`, `c-<name>.ts`, `d.plan.txt`. */
const namesIn = (text: string): string[] =>
  [...text.matchAll(/[\w*<>/.-]+\.(?:tsx?|mjs|css|csv|plan\.txt)\b/g)].map(([name]) => name);

const patternOf = (name: string): RegExp =>
  new RegExp(
    `^${basename(name)
      .replaceAll('.', '\\.')
      .replaceAll(/\*|<\w+>/g, '[\\w-]*')}$`,
  );

/** Folder of src → the part of the document that lists its files. */
const tree = between(document, '    src/\n', '    demo/');
const sections = new Map<string, string>(
  [...tree.matchAll(/^ {6}(?:(\w+)\/|index\.ts).*\n(?: {8,}.*\n)*/gm)].map(
    ([text, folder = '']) => [folder, text],
  ),
);
sections.set('weights/hub', between(document, '## Weights from the hub', '\n## '));
sections.set('weights/browser', between(document, '## Weights in a page', '\n## '));

describe.each([...sections])('src/%s', (folder, text) => {
  const files = readdirSync(`src/${folder}`).filter((name) => name.endsWith('.ts'));

  test('every file is named', () => {
    const patterns = namesIn(text).map(patternOf);
    const missing = files.filter((file) => !patterns.some((pattern) => pattern.test(file)));
    expect(missing).toEqual([]);
  });
});

test('every folder has a section', () => {
  const folders = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map(({ parentPath }) => parentPath.replace(/^src\/?/, ''));
  expect([...new Set(folders)].toSorted()).toEqual([...sections.keys()].toSorted());
});

test('every named file is there', () => {
  const files = ['src', 'demo', 'bench', 'test', 'scripts', 'examples'].flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => !path.includes('node_modules'))
      .map((path) => `${root}/${path}`),
  );
  const names = files.map((path) => basename(path));
  const known = (name: string): boolean =>
    /[*<]/.test(name) || !name.includes('/')
      ? names.some((file) => patternOf(name).test(file))
      : existsSync(name) || files.some((file) => file.endsWith(`/${name}`));
  expect(namesIn(document).filter((name) => !known(name))).toEqual([]);
});

test('what the page imports from inside is named', () => {
  const inside = readdirSync('demo', { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path))
    .flatMap((path) => [
      ...readFileSync(`demo/${path}`, 'utf8').matchAll(
        /^import (?:type )?\{([^}]*)\} from '(?:\.\.\/)+src\/(?:\w+\/|version)/gm,
      ),
    ])
    .flatMap(([, names = '']) => names.split(',').map((name) => name.replace('type ', '').trim()))
    .filter((name) => name !== '');
  const [, named = ''] = /these from inside: ([\w, ]+)/.exec(document) ?? [];
  expect([...new Set(inside)].toSorted()).toEqual(named.split(', ').toSorted());
});

describe('the passes that make a plan', () => {
  const cpu: Target = { family: 'cpu', shaderF16: true, subgroupSize: 8 };
  const gpu: Target = { family: 'alu', shaderF16: true, subgroupSize: 32 };
  const shape = { m: 16, n: 16, k: 16, subgroupSize: 32, isPinned: true };
  const matrix: Target = { ...gpu, matrix: { ...shape, component: 'f16' } };
  const kinds = Object.entries({ cpu, gpu, matrix }).flatMap(([kind, target]) =>
    [true, false].map((compact) => ({
      kind: compact ? `${kind} compact` : kind,
      context: { target, compact, maxBindingBytes: 2 ** 27 },
    })),
  );
  const small: Graph = { nodes: [], weights: new Map(), externals: new Map(), names: new Map() };
  const words = new Map([
    ['cpu compact, cpu, gpu compact, gpu, matrix compact, matrix', 'all'],
    ['gpu compact, gpu, matrix compact, matrix', 'GPUs'],
    ['gpu, matrix', 'GPUs, whole activations'],
    ['gpu compact, gpu', 'GPUs without subgroup matrices'],
    ['matrix compact, matrix', 'subgroup matrices'],
    ['', 'large tensors'],
  ]);

  test('are in the table, in order, with the devices they are for', () => {
    const rows = PASSES.map(({ name, ...pass }) => {
      const when = 'when' in pass ? pass.when : () => true;
      const on = kinds.filter(({ context }) => when(context, small)).map(({ kind }) => kind);
      return [`| ${name}`, words.get(on.join(', '))];
    });
    const table = between(document, '| pass |', '\n\n').split('\n').slice(2);
    expect(table.map((row) => row.split(' | ').slice(0, 2))).toEqual(rows);
  });
});

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object };

test('README or CONTRIBUTING says what each npm script does', () => {
  const text = readFileSync('README.md', 'utf8') + readFileSync('CONTRIBUTING.md', 'utf8');
  const untold = Object.keys(scripts).filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
  expect(untold.filter((name) => name !== 'prepublishOnly')).toEqual([]); // npm's own
});

const GUIDES = ['README', 'CHANGELOG', 'CONTRIBUTING', 'bench/README', 'examples/README'];
const OTHERS = ['demo/viewer/README', 'test/golden/README', 'weights/invsr-nano/README'];

test.each([...[...GUIDES, ...OTHERS].map((name) => `${name}.md`), 'docs'])(
  'links and commands in %s lead somewhere',
  (place) => {
    const pages = place.endsWith('.md')
      ? [place]
      : readdirSync(place, { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.md'))
          .map((name) => `${place}/${name}`);
    const dead = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
        .map(([, link = '']) => `${page.slice(0, page.lastIndexOf('/') + 1)}${link}`)
        .filter((target) => !existsSync(target)),
    );
    const commands = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name),
    );
    expect(commands.filter((name) => !(name in scripts))).toEqual([]);
    expect(dead).toEqual([]);
  },
);
